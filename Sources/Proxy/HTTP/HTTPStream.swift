import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Reactor

/// One request and its response on a worker: from the first byte of the request to the last byte
/// of the response. Comes from a pool, so that an idle connection has none.
public struct HTTPStream {
  struct Flags: OptionSet {
    let rawValue: UInt64
    /// The head is complete and handled.
    static let headDone = Flags(rawValue: 1 << 0)
    /// The whole request has been received.
    static let requestComplete = Flags(rawValue: 1 << 1)
    /// The end of the request has passed the filters.
    static let decodeEnded = Flags(rawValue: 1 << 2)
    /// Response headers have entered the filters.
    static let responseStarted = Flags(rawValue: 1 << 3)
    /// Response headers are on their way to the client.
    static let responseHeadWritten = Flags(rawValue: 1 << 4)
    /// The last byte of the response is written.
    static let responseComplete = Flags(rawValue: 1 << 5)
    static let isLocalReply = Flags(rawValue: 1 << 6)
    /// The response goes straight to the client: the filters have seen another one begin.
    static let bypassesEncoding = Flags(rawValue: 1 << 7)
    static let isHead = Flags(rawValue: 1 << 8)
    static let closesConnection = Flags(rawValue: 1 << 9)
    /// The client expects 100 (Continue) and the upstream decides.
    static let forwardsContinue = Flags(rawValue: 1 << 10)
    static let isInternal = Flags(rawValue: 1 << 11)
    /// The stream is over: no call may touch it.
    static let finished = Flags(rawValue: 1 << 12)
    static let hasRequestTrailers = Flags(rawValue: 1 << 15)
    static let hasResponseTrailers = Flags(rawValue: 1 << 16)
    /// Reading the request is paused by this stream's buffers.
    static let pausedDownstream = Flags(rawValue: 1 << 17)
    static let hasTimeoutAlt = Flags(rawValue: 1 << 18)
    static let requestHeadCounted = Flags(rawValue: 1 << 21)
    static let holdsRequestUnit = Flags(rawValue: 1 << 22)
    static let isHTTP10 = Flags(rawValue: 1 << 23)
    static let isAtEdge = Flags(rawValue: 1 << 24)
    /// The client said that this is its last request.
    static let clientCloses = Flags(rawValue: 1 << 25)
    /// An HTTP/2 stream carries it.
    static let isHTTP2 = Flags(rawValue: 1 << 13)
    /// HTTP/2: the end of the response is in the connection's output.
    static let responseFlushed = Flags(rawValue: 1 << 14)
    /// HTTP/2: the response waits for windows or room.
    static let isResponseBlocked = Flags(rawValue: 1 << 19)
    /// HTTP/2 upstream: the request waits for windows or room.
    static let isRequestBlocked = Flags(rawValue: 1 << 20)
    /// The request came as one of gRPC: replies of the proxy are too.
    static let isGRPC = Flags(rawValue: 1 << 27)
    /// Asks to leave HTTP (an upgrade, CONNECT), and may.
    static let isUpgrade = Flags(rawValue: 1 << 26)
    /// Has left HTTP: the host has accepted, bytes go both ways.
    static let isTunnel = Flags(rawValue: 1 << 28)
    /// Its bytes go to the host over TCP, not the request itself.
    static let terminatesConnect = Flags(rawValue: 1 << 29)
    /// Its client is the process itself.
    static let isInternalClient = Flags(rawValue: 1 << 30)
    /// Something else than HTTP/1 carries it to its client.
    static let otherCarriers = Flags(rawValue: 1 << 13 | 1 << 30)
    /// Of a tunnel: the host's direction has ended, and the client knows.
    static let tunnelResponseEnded = Flags(rawValue: 1 << 32)
    /// The key of the WebSocket handshake is the proxy's own.
    static let hasMadeKey = Flags(rawValue: 1 << 33)
    /// The proxy has sent it once more without being asked to.
    static let repeatedByProxy = Flags(rawValue: 1 << 34)
    /// A unit of the cluster's repeats is taken for that.
    static let holdsOwnRepeat = Flags(rawValue: 1 << 35)
    /// Idle connections of its host may be dead.
    static let wantsNewConnection = Flags(rawValue: 1 << 36)
  }

  var arena: Arena
  public var info = StreamInfo()
  var flags: Flags = []
  let connection: ConnectionRef
  public let manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>
  let generation: UnsafeMutablePointer<GenerationRuntime>

  // The request
  public var request: HeaderMap
  var requestTrailers: HeaderMap
  var requestFraming = BodyFraming.none
  var requestMethod = RequestMethod.other
  var requestLength = LengthDecoder(length: 0)
  var requestChunks = ChunkedDecoder()
  /// A head or trailer section that arrives in pieces.
  var partial = PartialBytes()
  var scanner = HeadScanner.request()

  // The response
  public var response: HeaderMap
  var responseTrailers: HeaderMap
  var responseFraming = BodyFraming.none

  // HTTP/2 downstream
  /// The codec's stream; nil when the stream is over.
  var h2: HTTP2StreamRef?
  /// Links of the connection's list of streams.
  var nextStream: HTTPStreamRef?
  var previousStream: HTTPStreamRef?
  /// Body bytes that wait for windows and room.
  var responseQueue = SegmentQueue()
  /// The response is complete: when the client must have taken more of it; 0 = no such limit.
  var flushDeadline: UInt64 = 0
  var nextRelieved: HTTPStreamRef?

  // Filters
  /// Those of the listener, or of the upgrade that it asks for.
  var filters: UnsafePointer<FilterChain.View>
  var decoding = FilterProgress()
  var encoding = FilterProgress()
  /// Set by a filter: how much of the request may be held back.
  var requestBufferLimitBytes: Int?
  /// One pointer a filter, when a filter of the chain has asked for state.
  var filterStates: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
  var filterTimers: UnsafeMutablePointer<FilterTimerNode>?

  // Route
  var route = RouteChoice()

  // Upstream
  var upstream = UpstreamRequest()
  /// The copies that still get the request's body.
  var mirrors = InternalStreamList()

  // Deadlines: nanoseconds of the worker's clock, 0 = none.
  var headersDeadline: UInt64 = 0
  var requestDeadline: UInt64 = 0
  var routeDeadline: UInt64 = 0
  var durationDeadline: UInt64 = 0
  /// 0 = no idle timeout.
  var idleTimeout: UInt64 = 0
  var lastActivityAt: UInt64 = 0

  /// Links of the upstream queue that the stream is in: it waits in a pool's, or works on an HTTP/2 connection.
  var queueNext: HTTPStreamRef?
  var queuePrevious: HTTPStreamRef?

  /// For whoever answers (``HTTPTerminal``), or asks from inside (``InternalExchange``): its own state.
  public var terminalState: UnsafeMutableRawPointer?

  /// Inlined into its one caller: out of line it is made elsewhere first and copied, which is 230 instructions a request.
  ///
  /// - Parameter address: Where the stream is going to live.
  @inline(__always)
  init(
    at address: HTTPStreamRef, arena: consuming Arena, connection: ConnectionRef,
    manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>,
    generation: UnsafeMutablePointer<GenerationRuntime>
  ) {
    self.arena = arena
    self.connection = connection
    self.manager = manager
    self.filters = manager.pointee.filters.view
    self.generation = generation
    // Maps allocate from the arena inside the stream, which is not in place yet.
    let place = UnsafeMutableRawPointer(address)
      .advanced(by: HTTPStream.arenaOffset).assumingMemoryBound(to: Arena.self)
    self.request = HeaderMap(unallocatedIn: place)
    self.requestTrailers = HeaderMap(unallocatedIn: place)
    self.response = HeaderMap(unallocatedIn: place)
    self.responseTrailers = HeaderMap(unallocatedIn: place)
  }

  @inline(__always)
  private static var arenaOffset: Int { MemoryLayout<HTTPStream>.offset(of: \HTTPStream.arena) ?? 0 }

  @inline(__always)
  func has(_ flag: Flags) -> Bool { flags.rawValue & flag.rawValue != 0 }
}

public typealias HTTPStreamRef = UnsafeMutablePointer<HTTPStream>

/// A timer that a filter has set for a stream.
struct FilterTimerNode {
  var node: TimerNode
  let stream: HTTPStreamRef
  let filter: Int
  /// The stream's next.
  var next: UnsafeMutablePointer<FilterTimerNode>?
}

/// Bytes that must be in one run before they can be parsed, in the stream's arena.
struct PartialBytes {
  var base: UnsafeMutablePointer<UInt8>?
  var count = 0
  var capacity = 0

  var view: ByteView { base.map { ByteView($0, count) } ?? .empty }

  mutating func append(_ bytes: ByteView, arena: inout Arena) {
    if count + bytes.count > capacity {
      let larger = max(1024, (count + bytes.count) * 2)
      let target = arena.allocate(larger)
      if let base { target.update(from: base, count: count) }
      base = target
      capacity = larger
    }
    guard let base, bytes.count > 0 else { return }
    (base + count).update(from: bytes.base, count: bytes.count)
    count += bytes.count
  }
}

/// The exchange with the upstream host, as far as it has come.
struct UpstreamRequest {
  enum State: UInt8 {
    case none
    /// Waits in a host's queue.
    case pending
    /// Has a connection.
    case active
    /// An attempt has failed, the next one is due later.
    case backoff
    case done
  }

  var state = State.none
  var cluster: ClusterRef?
  var host: HostRef?
  var pool: PoolRef?
  var connection: ConnectionRef?
  /// The codec's stream on an HTTP/2 connection.
  var h2: HTTP2StreamRef?
  var nextRelieved: HTTPStreamRef?
  /// Body bytes that wait for a connection, on HTTP/2 also for windows and room.
  var waitingBody = SegmentQueue()
  var framing = BodyFraming.none
  var headWritten = false
  var requestEnded = false
  var attempts: UInt32 = 0
  /// What hosts are chosen by in a cluster that hashes; nil: a random number.
  var hash: UInt64?
  /// Nil: nothing but the proxy itself may repeat the request.
  var plan: UnsafeMutablePointer<AttemptPlan>?
  /// Redirects that were followed to come here.
  var trail: UnsafeMutablePointer<RedirectTrail>?
  /// Of the attempt under way; 0 = none.
  var perTryIdleTimeout: UInt64 = 0
  /// When the cluster wants it to be over; 0 = none.
  var durationDeadline: UInt64 = 0
  /// Body bytes have gone out: the request cannot be sent again.
  var bodySent = false
  /// The client has an interim response (1xx) of a host: another host's answer would not be the same one's.
  var passedInterim = false
  var pendingSince: UInt64 = 0
  /// The time that the host takes has been counted (latency outliers).
  var isTimeCounted = false

  // The response
  var head = ResponseHead()
  var headDone = false
  var anyByteReceived = false
  var length = LengthDecoder(length: 0)
  var chunks = ChunkedDecoder()
  var partial = PartialBytes()
  var scanner = HeadScanner.response()
  var pausedUpstream = false
}
