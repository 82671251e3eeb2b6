import Glibc
import LoadBase
import LoadReport
import Primitives
import Reactor

extension ClientWorker {
  /// Compares what came back with what was sent.
  func echoReceived(_ connection: ClientRef, _ segment: SegmentRef) {
    var bytes = ByteView(segment.pointee.base, segment.pointee.count)
    while bytes.count > 0 {
      guard connection.pointee.pendingCount > 0 else {
        count(.lengthMismatch, note: "more came back than was sent")
        replace(connection)
        return
      }
      let request = connection.pointee.pending[Int(connection.pointee.pendingFirst)]
      let expected = echo.message(request.content)
        .dropFirst(Int(connection.pointee.answer.content.bytes))
      let piece = bytes.prefix(expected.count)
      guard memcmp(piece.base, expected.base, piece.count) == 0 else {
        let at = Int(connection.pointee.answer.content.bytes)
        finish(connection, fault: .bodyMismatch, status: nil)
        remember(
          .bodyMismatch,
          "another byte came back than was sent (within \(piece.count) bytes from byte \(at))")
        failPending(connection, .closedEarly, note: nil)
        replace(connection)
        return
      }
      bytes = bytes.dropFirst(piece.count)
      if piece.count < expected.count {
        connection.pointee.answer.content.bytes &+= UInt64(piece.count)
        return
      }
      connection.pointee.answer.content.bytes = 0
      finish(connection, fault: nil, status: nil)
      answered(connection)
    }
  }

  /// An answer is whole and the connection stays: what it does next.
  @inline(__always)
  func answered(_ connection: ClientRef) {
    guard let socket = connection.pointee.socket else { return }
    if connection.pointee.pendingCount > 0 {
      let oldest = connection.pointee.pending[Int(connection.pointee.pendingFirst)]
      wake(socket, at: oldest.sent &+ plan.timeout)
    } else {
      wake(socket, at: 0)
      if plan.newConnectionPerRequest {
        // Echo has no way to say that this was all: we end the connection.
        replace(connection)
        return
      }
    }
    list(connection)
  }
}
