import HTTPCore
import Primitives
import Reactor
import TLS

/// What a worker keeps for a connection that speaks TLS. `Connection.tls` leads here.
struct TLSConnection {
  enum Stage: UInt8 {
    /// The ClientHello is not complete.
    case hello
    /// Waits for its turn or for the peer in the handshake.
    case handshake
    /// Established, in the library's hands.
    case attached
    /// Established; records are opened and sealed here.
    case detached
    /// Nothing can be opened or sealed any more.
    case failed
  }

  let isClient: Bool
  var stage: Stage
  var closeNotifySent = false
  /// The peer said that it sends no more.
  var readEnded = false
  /// How the socket ended while a step of the handshake had yet to run: 0 or an errno; negative when it has not.
  var socketEnd: Int32 = -1
  /// The peer's direction ended without close_notify: what came may not be all.
  var isTruncated = false
  var isInQueue = false
  /// The peer's certificate was found good.
  var isPeerValidated = false
  /// The latest version the client's hello offers.
  var offered: UInt16 = 0

  /// Records that are not opened yet.
  var received = SegmentQueue()
  /// Records, and flights of the handshake, that are not sent yet.
  var sending = SegmentQueue()

  var handshake: Handshake?
  /// Holds the context of `handshake`.
  var context: Unmanaged<TLSContext>?
  var records: RecordProtection?
  var reader: RecordReader
  var startedAt: UInt64
  /// A client's configuration, for its tickets.
  var clientNumber: UInt32 = 0

  // What is known of the connection.
  var facts = TLSFacts()
  var peer: UnsafeMutablePointer<PeerDetails>?
  /// What `facts` says of the peer beyond `peer`; owned.
  var peerText: UnsafeMutablePointer<UInt8>?
  /// What `facts.details` says; owned.
  var detailText: UnsafeMutablePointer<UInt8>?
  /// The server's name (SNI), in lower case, and the protocol (ALPN): in memory of their own.
  var text: UnsafeMutablePointer<UInt8>?
  var nameCount: UInt8 = 0
  var protocolCount: UInt8 = 0
  /// Why it failed; owned.
  var failure: UnsafeMutablePointer<UInt8>?
  var failureCount = 0

  // The list of connections whose handshake is under way, the one that has waited longest first.
  var nextActive: TLSRef?
  var previousActive: TLSRef?
  /// The queue of those that can go on now.
  var nextQueued: ConnectionRef?
  var connection: ConnectionRef

  init(isClient: Bool, stage: Stage, connection: ConnectionRef, now: UInt64) {
    self.isClient = isClient
    self.stage = stage
    self.connection = connection
    self.startedAt = now
    self.reader = RecordReader(isClient: isClient, isTLS13: true)
  }

  var serverName: ByteView {
    text.map { ByteView($0, Int(nameCount)) } ?? .empty
  }

  /// The protocol that was agreed on (ALPN).
  var negotiated: ByteView {
    text.map { ByteView($0 + Int(nameCount), Int(protocolCount)) } ?? .empty
  }

  var failureReason: ByteView { failure.map { ByteView($0, failureCount) } ?? .empty }

  var isEstablished: Bool { stage == .attached || stage == .detached }
}

typealias TLSRef = UnsafeMutablePointer<TLSConnection>

extension TLSConnection {
  @inline(__always)
  static func facts(_ tls: TLSRef) -> UnsafePointer<TLSFacts> {
    let offset = MemoryLayout<TLSConnection>.offset(of: \.facts) ?? 0
    return (UnsafeRawPointer(tls) + offset).assumingMemoryBound(to: TLSFacts.self)
  }
}
