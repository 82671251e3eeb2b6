import Primitives

/// One time that a host was asked for an answer to a request.
final class Attempt {
  /// From 1, in the order in which hosts saw them.
  let number: Int
  let host: SocketAddress
  let isHTTP2: Bool
  let isSecure: Bool
  /// When the request's head was here, its end, and when the answer began: nanoseconds.
  let began: UInt64
  var whole: UInt64?
  var answered: UInt64?
  /// Bytes of the request's body that came.
  var received = 0
  /// What the host makes of the planned answer.
  var answer: AnswerPlan
  /// The proxy has taken it back, or its connection has ended.
  var isEnded = false
  /// Began while another one was under way.
  var isHedge = false
  /// Over HTTP/1: the answer is with the socket.
  var isSaid = false
  /// Of the answer's bytes.
  let responseKey: UInt64
  private weak var socket: PeerSocket?

  init(number: Int, responseKey: UInt64, _ socket: PeerSocket, isHTTP2: Bool, answer: AnswerPlan, now: UInt64) {
    self.number = number
    self.responseKey = responseKey
    self.socket = socket
    self.isHTTP2 = isHTTP2
    self.answer = answer
    host = socket.connection.peerAddress
    isSecure = socket.security != nil
    began = now
  }

  /// The host has nothing more to do with it.
  var isOver: Bool {
    guard !isEnded, let socket, !socket.isClosed, !socket.isReset else { return true }
    return isSaid && !socket.hasOutput
  }

  /// What the proxy has said of it may not be here yet.
  var mayHearMore: Bool { socket?.connection.hasUndelivered ?? false }

  /// An attempt that has failed, or will.
  var isSpoilt: Bool { answer.fate != .whole || answer.isFailure }
}
