import CURing

/// One submitted entry on its way to its last completion.
final class Operation {
  enum Kind {
    case accept
    case receive(group: UInt16, isMultishot: Bool)
    case send(SendState)
    case connect
    case shutdown
    case poll(isRead: Bool)
  }

  /// Bytes of a send that the network has not taken yet. The memory is read as they go out, so it must
  /// stay as it was until the completion.
  struct SendState {
    var runs: [(base: UnsafePointer<UInt8>, count: Int)]
    var runIndex = 0
    var at = 0
    var sent = 0
    var left: Int

    init(_ runs: [(base: UnsafePointer<UInt8>, count: Int)]) {
      self.runs = runs
      left = runs.reduce(0) { $0 + $1.count }
    }

    /// The next `count` bytes, which are at most ``left``.
    mutating func take(_ count: Int) -> [UInt8] {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(count)
      while bytes.count < count {
        let run = runs[runIndex]
        let part = min(run.count - at, count - bytes.count)
        bytes.append(contentsOf: UnsafeBufferPointer(start: run.base + at, count: part))
        at += part
        if at == run.count {
          runIndex += 1
          at = 0
        }
      }
      sent += count
      left -= count
      return bytes
    }
  }

  let userData: UInt64
  let socket: VirtualSocket
  var kind: Kind
  /// Its last completion is posted.
  var isOver = false
  /// An event will look at it.
  var isScheduled = false

  init(userData: UInt64, socket: VirtualSocket, kind: Kind) {
    self.userData = userData
    self.socket = socket
    self.kind = kind
  }

  var isReceive: Bool { if case .receive = kind { true } else { false } }
  var isSend: Bool { if case .send = kind { true } else { false } }
  var waitsForInput: Bool {
    switch kind {
    case .receive, .poll(isRead: true): true
    case .accept, .send, .connect, .shutdown, .poll: false
    }
  }
  var waitsForRoom: Bool {
    switch kind {
    case .send, .poll(isRead: false): true
    case .accept, .receive, .connect, .shutdown, .poll: false
    }
  }
  var isAccept: Bool { if case .accept = kind { true } else { false } }
}
