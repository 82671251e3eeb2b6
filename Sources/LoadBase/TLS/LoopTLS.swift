import Reactor
import TLS

/// TLS of one socket: what lies between the records on the wire and the bytes that the owner sees.
struct LoopTLS {
  enum Stage: UInt8 {
    case handshake
    /// Established, in the library's hands.
    case attached
    /// Established; records are opened and sealed here.
    case detached
    /// Nothing can be opened or sealed any more.
    case failed
  }

  let isClient: Bool
  /// A client that wants tickets stays attached until one has come: only the library can read them.
  let keepsTicket: Bool
  var stage = Stage.handshake
  var closeNotifySent = false
  /// The peer said that it sends no more.
  var readEnded = false
  var handshake: Handshake?
  var records: RecordProtection?
  var reader: RecordReader
  /// Records that are not opened yet.
  var received = SegmentQueue()
  /// Records that are not sent yet.
  var sending = SegmentQueue()
  var nextFree: LoopTLSRef?

  init(_ handshake: Handshake, isClient: Bool, keepsTicket: Bool) {
    self.handshake = handshake
    self.isClient = isClient
    self.keepsTicket = keepsTicket
    reader = RecordReader(isClient: isClient, isTLS13: true)
  }

  var isEstablished: Bool { stage == .attached || stage == .detached }
}

typealias LoopTLSRef = UnsafeMutablePointer<LoopTLS>
