import Primitives
import Reactor

/// One socket of a worker, downstream or upstream, at a fixed address in the ``ConnectionTable``.
///
/// It holds what an idle connection needs and nothing else: buffers, streams and sessions come from
/// pools when there is something to do and go back after.
public struct Connection {
  /// What the bytes mean; decides who handles an event.
  enum Role: UInt8 {
    case free
    /// Accepted; listener filters still read, or no filter chain is chosen yet.
    case listenerFilter
    /// A chain is chosen; the TLS handshake is under way.
    case tlsHandshake
    case http1
    /// HTTP of a version that the first bytes will tell; a part of them has come.
    case httpSniff
    case http2
    case tcp
    /// Nothing is expected but the end: bytes are dropped.
    case closing
    case upstreamHTTP1
    case upstreamHTTP2
    case upstreamTCP
    /// TCP that belongs to one HTTP stream, whose bytes go over it as they are.
    case upstreamTunnel
    /// Stands for the client of a request that the process itself makes; has no socket.
    case internalClient
    /// To a host, to see what it says (``ProbeSink``).
    case probe
  }

  struct Flags: OptionSet {
    let rawValue: UInt32
    /// A receive operation is in flight.
    static let receiveArmed = Flags(rawValue: 1 << 0)
    static let receiveMultishot = Flags(rawValue: 1 << 1)
    /// The armed receive was asked to stop.
    static let receiveCancelling = Flags(rawValue: 1 << 2)
    /// The owner wants bytes.
    static let wantsRead = Flags(rawValue: 1 << 3)
    /// The peer has ended its direction.
    static let readEnded = Flags(rawValue: 1 << 4)
    static let sendInFlight = Flags(rawValue: 1 << 5)
    static let connecting = Flags(rawValue: 1 << 6)
    /// In the list of connections to flush.
    static let isDirty = Flags(rawValue: 1 << 7)
    /// In the list of connections whose held input is to be handled.
    static let isReady = Flags(rawValue: 1 << 8)
    /// In the list of connections that wait for a receive buffer.
    static let isStarved = Flags(rawValue: 1 << 9)
    /// No more events for the owner; the slot is freed when nothing is in flight.
    static let closed = Flags(rawValue: 1 << 10)
    static let closeAfterFlush = Flags(rawValue: 1 << 11)
    static let shutdownAfterFlush = Flags(rawValue: 1 << 12)
    static let writeEnded = Flags(rawValue: 1 << 13)
    /// Output passed the high watermark and has not drained below the low one.
    static let outputBlocked = Flags(rawValue: 1 << 14)
    /// Bodies are large: receive into large buffers, one at a time.
    static let isBulk = Flags(rawValue: 1 << 15)
    /// HTTP: close when the current response is done.
    static let drains = Flags(rawValue: 1 << 16)
    /// Counted in a chain's connection limits.
    static let holdsLimits = Flags(rawValue: 1 << 17)
    /// Upstream: in the host's list of idle connections.
    static let isPooled = Flags(rawValue: 1 << 18)
    /// Upstream: has carried a request before the current one.
    static let isReused = Flags(rawValue: 1 << 19)
    /// Closed and with nothing in flight: freed when the turn ends.
    static let isBuried = Flags(rawValue: 1 << 20)
    /// Reading stopped because requests were sent too far ahead.
    static let inputBlocked = Flags(rawValue: 1 << 21)
    /// Counted as an HTTP connection.
    static let isHTTPCounted = Flags(rawValue: 1 << 22)
    /// The socket's bytes are TLS records.
    static let isTLS = Flags(rawValue: 1 << 23)
    /// In the queue of handshakes that can go on.
    static let isQueuedTLS = Flags(rawValue: 1 << 24)
    /// Counted as one of this version.
    static let isHTTP1Counted = Flags(rawValue: 1 << 25)
    static let isHTTP2Counted = Flags(rawValue: 1 << 26)
    /// Upstream: counts under the priority HIGH.
    static let isHigh = Flags(rawValue: 1 << 27)
    /// It is about to close, and a request, or a session, was on it until now.
    static let endsUnderRequest = Flags(rawValue: 1 << 28)
  }

  var fd: Int32 = -1
  let slot: UInt32
  var generation: UInt32 = 0
  var role: Role = .free
  /// Operations whose completion is still to come.
  var inFlight: UInt8 = 0
  /// Full receive buffers in a row.
  var fullReceives: UInt8 = 0
  /// Group of the armed receive.
  var receiveGroup = SegmentPool.Group.small
  var flags: Flags = []
  /// Upstream: requests carried; downstream HTTP: requests begun.
  var requestCount: UInt32 = 0
  /// To be sent.
  var output = SegmentQueue()
  /// Received but not handled yet, while the owner does not want to read.
  var input = SegmentQueue()
  var timer: TimerNode
  /// Output above this blocks the source of the bytes; below half of it unblocks.
  var outputLimit: Int = 1 << 20
  /// Nanoseconds of the worker's clock.
  var createdAt: UInt64 = 0
  var lastActivityAt: UInt64 = 0
  /// When a graceful close, a connect or a listener filter must be over; 0 = no such limit.
  var deadline: UInt64 = 0
  var id: UInt64 = 0
  /// What the role works on now: an ``HTTPStream``, a ``TCPSession``; nil when idle.
  var session: UnsafeMutableRawPointer?
  /// TLS on it; nil = plain.
  var tls: UnsafeMutablePointer<TLSConnection>?
  /// Downstream: what it was accepted by.
  var epoch: UnsafeMutablePointer<ListenerEpoch>?
  var chain: UnsafeMutablePointer<FilterChainConfig>?
  /// Downstream: for the listener's access log, if it has one.
  var record: UnsafeMutablePointer<ConnectionRecord>?
  /// Upstream: the host it leads to, and the pool that it is for.
  var host: UnsafeMutablePointer<HostRuntime>?
  var pool: UnsafeMutablePointer<ConnectionPool>?
  /// Links of the list that the connection is in (idle pool, host, epoch).
  var previous: UnsafeMutablePointer<Connection>?
  var next: UnsafeMutablePointer<Connection>?
  /// Large bodies on their way through a pipe: out of this socket, into it.
  var feeds: SpliceRef?
  var fedBy: SpliceRef?
  var nextDirty: UnsafeMutablePointer<Connection>?
  var nextReady: UnsafeMutablePointer<Connection>?
  var nextStarved: UnsafeMutablePointer<Connection>?
  /// The peer of the socket, and the client that a PROXY header named.
  var peer: IPAddress?
  var client: IPAddress?
  var peerPort: UInt16 = 0
  var clientPort: UInt16 = 0
  /// Which of the listener's addresses.
  var addressIndex: UInt16 = 0
  /// Downstream: those that have not read what they want yet.
  var listenerFilters: ListenerConfig.ListenerFilters = []
  /// Upstream: how often its host's connections had been given up when it was made (``HostRuntime/drainCount``).
  var drainCount: UInt8 = 0
  /// While it lingers: how long the peer may acknowledge nothing, and what it had when that time began.
  var patienceMilliseconds: UInt32 = 0
  var acknowledgedBytes: UInt32 = 0

  init(slot: UInt32, owner: UnsafeMutablePointer<Connection>) {
    self.slot = slot
    self.timer = TimerNode(kind: TimerKind.connection.rawValue, owner: owner)
  }

  @inline(__always)
  func has(_ flag: Flags) -> Bool { flags.rawValue & flag.rawValue != 0 }

  var isDownstream: Bool {
    switch role {
    case .listenerFilter, .tlsHandshake, .http1, .httpSniff, .http2, .tcp, .closing: true
    case .free, .internalClient, .probe, .upstreamHTTP1, .upstreamHTTP2, .upstreamTCP, .upstreamTunnel: false
    }
  }

  /// Something is still to be sent, or on its way.
  var hasUnsent: Bool {
    !output.isEmpty || has(.sendInFlight)
      || (has(.isTLS) && tls.map { !$0.pointee.sending.isEmpty } ?? false) || fedBy.map { $0.pointee.heldBytes > 0 } ?? false
  }

  @inline(__always)
  func token(_ operation: Token.Operation) -> Token {
    Token(operation, slot: slot, generation: generation)
  }
}

public typealias ConnectionRef = UnsafeMutablePointer<Connection>

/// What a timer of the worker's wheel belongs to.
enum TimerKind: UInt8 {
  case connection, acceptBackoff, filter, task
}
