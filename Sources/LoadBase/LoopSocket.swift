public import Reactor

/// One socket of a ``SocketLoop``. Trivial; at one address while the loop lives.
public struct LoopSocket {
  struct Flags: OptionSet {
    var rawValue: UInt32
    /// A receive is in the kernel.
    static let receiveArmed = Flags(rawValue: 1 << 0)
    /// Its cancellation is on the way.
    static let receiveCancelling = Flags(rawValue: 1 << 1)
    /// The owner takes bytes.
    static let wantsRead = Flags(rawValue: 1 << 2)
    /// The peer sends no more.
    static let readEnded = Flags(rawValue: 1 << 3)
    static let sendInFlight = Flags(rawValue: 1 << 4)
    /// In the list of sockets whose output leaves at the end of the turn.
    static let isDirty = Flags(rawValue: 1 << 5)
    /// In the list of sockets that wait for receive buffers.
    static let isStarved = Flags(rawValue: 1 << 6)
    static let connecting = Flags(rawValue: 1 << 7)
    /// The owner has let go; what is in flight comes back first.
    static let closed = Flags(rawValue: 1 << 8)
    static let isBuried = Flags(rawValue: 1 << 9)
    static let closeAfterFlush = Flags(rawValue: 1 << 10)
    /// What passes the socket are records.
    static let isTLS = Flags(rawValue: 1 << 11)
    static let handshaking = Flags(rawValue: 1 << 12)
    /// In the list of sockets whose records wait although the owner takes bytes.
    static let isHeld = Flags(rawValue: 1 << 13)
    /// The owner knows that the peer sends no more.
    static let endTold = Flags(rawValue: 1 << 14)
    /// The end came without close_notify.
    static let isTruncated = Flags(rawValue: 1 << 15)
  }

  let slot: UInt32
  var generation: UInt32 = 0
  var fd: Int32 = -1
  var flags: Flags = []
  /// Operations whose last completion has not come.
  var operations: UInt32 = 0
  /// What is to be sent. Whoever appends calls ``SocketLoop/markDirty(_:)``.
  public var output = SegmentQueue()
  var timer: TimerNode
  /// When the owner wants ``SocketLoop/timeReached(_:)``; nanoseconds, 0 = not at all.
  public internal(set) var deadline: UInt64 = 0
  var nextDirty: SocketRef?
  var nextStarved: SocketRef?
  var nextHeld: SocketRef?
  var nextFree: SocketRef?
  var tls: LoopTLSRef?
  /// What the owner knows of it.
  public var owner: UnsafeMutableRawPointer?

  init(slot: UInt32, address: SocketRef) {
    self.slot = slot
    self.timer = TimerNode(kind: 0, owner: address)
  }

  @inline(__always)
  func has(_ flag: Flags) -> Bool { flags.rawValue & flag.rawValue != 0 }

  /// The owner has closed it.
  public var isClosed: Bool { has(.closed) }

  /// Not connected yet; with TLS, until the handshake is over.
  public var isConnecting: Bool { !flags.isDisjoint(with: [.connecting, .handshaking]) }

  /// The connection is there, but not its handshake.
  public var isHandshaking: Bool { has(.handshaking) }

  /// What passes the socket are records: what its owner gets and gives is not what was received and sent.
  public var isTLS: Bool { has(.isTLS) }

  /// TLS: the peer's bytes ended without the word that these were all.
  public var isTruncated: Bool { has(.isTruncated) }

  @inline(__always)
  func token(_ operation: Token.Operation) -> Token {
    Token(operation, slot: slot, generation: generation)
  }
}

public typealias SocketRef = UnsafeMutablePointer<LoopSocket>
