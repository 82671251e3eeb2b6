import CSystem
import Primitives
import Reactor
import Stats
import Synchronization

/// One thread of the data plane: a ring, the connections it owns, and everything they need.
///
/// Nothing in it is shared. Other threads reach a worker in two ways: the mailbox (a new snapshot or
/// host table) and its statistics slab (read only). All methods run on the worker's own thread.
public final class Worker {
  /// `0..<concurrency`; main has -1.
  public let index: Int
  public let name: String
  public var ring: Ring
  public let kernel: Kernel
  public let slab: StatsSlab
  public let mailbox: WorkerMailbox
  public let status: WorkerStatus
  public let environment: WorkerEnvironment
  /// What accepted connections are spread by; nil = each worker keeps its own.
  let loads: WorkerLoads.View?
  var loadMeter: LoadMeter
  /// This worker's own of the environment's: taking it out of the list would retain it for each line.
  let logRing: LogRing
  /// Receive buffers and chunks.
  let segments: SegmentPool
  let arenas: ArenaPool
  var timers: TimerWheel
  var random: FastRandom
  /// For formats that make ids; apart, since formats take a pointer.
  let formatRandom: UnsafeMutablePointer<FastRandom>
  /// Nanoseconds, read once a turn.
  public internal(set) var now: UInt64
  /// Nanoseconds; when the last turn was over.
  var turnEnded: UInt64
  /// Nanoseconds since 1970, read once a turn.
  public internal(set) var wallNow: Int64
  var connections = ConnectionTable()

  // What waits for the end of the turn.
  var dirty: ConnectionRef?
  var ready: ConnectionRef?
  var starved: ConnectionRef?
  var graveyard: [ConnectionRef] = []
  let message: MessageScratch
  /// Pipes for large bodies.
  var pipes: PipePool

  // Listeners
  var listeners: [ListenerRuntime] = []
  var sockets: [ListenerSocket] = []
  let acceptBackoff: UnsafeMutablePointer<TimerNode>
  /// Old versions with connections, and the current ones.
  var epochs: [UnsafeMutablePointer<ListenerEpoch>] = []

  // Clusters and generations
  var clusters: [ClusterRef?] = []
  /// Hosts that were freed with requests, by their count: none, unless a count is wrong.
  var miscountedHosts = 0
  /// Hosts of the clusters; the only reference that this worker has. Nil before the first and after the last.
  var hostTable: Unmanaged<HostTable>?
  var generation: UnsafeMutablePointer<GenerationRuntime>
  var oldGenerations: [UnsafeMutablePointer<GenerationRuntime>] = []

  // HTTP
  let http: HTTPScratch
  /// For requests that the process itself makes; the environment owns it.
  let internalManager: UnsafeMutablePointer<HTTPConnectionManagerConfig>
  var tcpSessions = Pool<TCPSession>()
  var connectionRecords = Pool<ConnectionRecord>()

  // TLS
  /// Nil until a TLS connection comes.
  var tlsContexts: TLSContexts?
  var tlsConnections = Pool<TLSConnection>()
  var tlsTexts = Pool<TLSText>()
  /// Handshakes that can go on.
  var firstTLS: ConnectionRef?
  var lastTLS: ConnectionRef?
  /// Handshakes under way.
  var firstActiveTLS: TLSRef?
  var lastActiveTLS: TLSRef?
  var tlsActive = 0
  /// Where a hello that spans records is put together.
  let tlsScratch = UnsafeMutablePointer<UInt8>.allocate(
    capacity: TLSLimits.clientHelloBytesMax + 256)

  var failureTexts = Pool<TransportFailureText>()
  #if DEBUG
    /// A bug that the simulator has planted (``Sabotage/retryWithoutBudget``).
    var ignoresRetryLimits = false
    /// Likewise (``Sabotage/replayShort``).
    var shortensReplays = false
  #endif
  public internal(set) var nextConnectionID: UInt64
  /// Accepting has stopped for good, and connections are asked to end.
  public internal(set) var isDraining = false
  public internal(set) var isStopped = false
  /// What runs on this thread besides traffic: main's signals, file watches and admin work.
  var pollHandlers: [(fd: Int32, handle: () -> Void)] = []
  /// Runs when another thread sends a message.
  var messageHandler: ((UInt32, UInt32) -> Void)?

  public init(
    index: Int, name: String, kernel: Kernel, slab: StatsSlab, mailbox: WorkerMailbox,
    status: WorkerStatus = WorkerStatus(), snapshot: Snapshot, environment: WorkerEnvironment, sizes: SegmentPool.Sizes, seed: UInt64
  ) throws(RingError) {
    self.index = index
    self.name = name
    self.kernel = kernel
    self.ring = Ring(kernel: kernel)
    self.slab = slab
    self.mailbox = mailbox
    self.status = status
    self.environment = environment
    self.loads = index >= 0 ? environment.loads?.view : nil
    self.loadMeter = LoadMeter(now: kernel.monotonicNow(), cpu: kernel.threadTime())
    self.logRing = environment.logRings[index + 1]
    self.segments = try SegmentPool(kernel: kernel, sizes: sizes)
    self.arenas = ArenaPool()
    self.now = kernel.monotonicNow()
    self.turnEnded = now
    self.wallNow = kernel.wallNow()
    self.timers = TimerWheel(nowMilliseconds: now / 1_000_000)
    self.random = FastRandom(seed: seed)
    self.formatRandom = .allocate(capacity: 1)
    self.formatRandom.initialize(to: FastRandom(seed: ~seed))
    self.message = MessageScratch()
    self.pipes = PipePool(kernel: kernel)
    self.acceptBackoff = .allocate(capacity: 1)
    self.acceptBackoff.initialize(
      to: TimerNode(
        kind: TimerKind.acceptBackoff.rawValue, owner: UnsafeMutableRawPointer(acceptBackoff)))
    self.generation = .allocate(capacity: 1)
    self.generation.initialize(to: GenerationRuntime(snapshot))
    self.http = HTTPScratch()
    self.internalManager = environment.stats.internalClient.pointer
    // Connection ids are unique over workers: the worker's number is in the high bits.
    self.nextConnectionID = UInt64(index + 2) << 48
    adoptTables(of: snapshot)
    status.setRing(kernel.ringDescriptor)
    if let loads { loads.rows[index].ring.store(kernel.ringDescriptor, ordering: .relaxed) }
  }

  deinit {
    formatRandom.deallocate()
    tlsScratch.deallocate()
    acceptBackoff.deallocate()
  }

  /// Marks the worker as ended; `run` returns after the turn.
  public func stop() { isStopped = true }

  /// Open connections, downstream and upstream.
  public var connectionCount: Int { connections.liveCount }
}

/// What other threads may ask about a worker at any time.
public final class WorkerStatus: Sendable {
  private let ring = Atomic<Int32>(-1)
  private let downstream = Atomic<Int>(0)
  private let ended = Atomic<Bool>(false)

  public init() {}

  func setRing(_ descriptor: Int32) { ring.store(descriptor, ordering: .releasing) }
  private let draining = Atomic<Bool>(false)

  func setDownstreamConnections(_ count: Int) {
    downstream.store(count, ordering: .releasing)
    draining.store(true, ordering: .releasing)
  }

  func setEnded() { ended.store(true, ordering: .releasing) }

  /// Where messages for it go; -1 before it runs.
  public var ringDescriptor: Int32 { ring.load(ordering: .acquiring) }
  /// Clients' connections, kept up to date while it drains.
  public var downstreamConnections: Int { downstream.load(ordering: .acquiring) }
  /// It has stopped accepting, and ``downstreamConnections`` is true.
  public var isDraining: Bool { draining.load(ordering: .acquiring) }
  /// It has stopped for good.
  public var hasEnded: Bool { ended.load(ordering: .acquiring) }
}

/// What all workers of a process share and never changes while it runs.
public struct WorkerEnvironment: Sendable {
  /// Main's is one of the rings.
  var workerCount: Int { logRings.count - 1 }
  public var stats: WorkerStats
  /// Shared switches set by main (`/healthcheck/fail`, draining).
  public var flags: ProcessFlags
  public var logRings: [LogRing]
  /// Nil: the kernel alone spreads connections over workers.
  public var loads: WorkerLoads?

  public init(
    stats: WorkerStats, flags: ProcessFlags, logRings: [LogRing], loads: WorkerLoads? = nil
  ) {
    self.stats = stats
    self.flags = flags
    self.logRings = logRings
    self.loads = loads
  }
}

/// Switches that main sets and workers read.
public final class ProcessFlags: Sendable {
  /// `/healthcheck/fail` was called: health check filters answer 503.
  public let failsHealthChecks = Atomic<Bool>(false)
  /// How long connections of a removed listener may go on.
  public let drainNanoseconds: UInt64
  /// TLS connections stay in the library's hands after the handshake: slower and larger, for comparison.
  public let keepsTLSAttached: Bool
  /// Descriptor of main's ring, for messages to it; -1 before main runs.
  private let mainRingDescriptor = Atomic<Int32>(-1)
  /// Times that accepting stopped for want of descriptors or memory.
  public let acceptOverflows = Atomic<UInt64>(0)

  public init(drainNanoseconds: UInt64, keepsTLSAttached: Bool = false) {
    self.drainNanoseconds = drainNanoseconds
    self.keepsTLSAttached = keepsTLSAttached
  }

  public func setMainRing(_ descriptor: Int32) {
    mainRingDescriptor.store(descriptor, ordering: .releasing)
  }

  var mainRing: Int32? {
    let descriptor = mainRingDescriptor.load(ordering: .relaxed)
    return descriptor >= 0 ? descriptor : nil
  }

  func noteAcceptOverflow() { acceptOverflows.wrappingAdd(1, ordering: .relaxed) }
}

/// Statistics of one worker thread.
public struct WorkerStats: Sendable {
  public let turns, busyMicroseconds, staleCompletions, bufferStarvations, snapshotsAdopted, hostTablesAdopted: Counter
  /// Accepted connections that went to, or came from, another worker.
  public let connectionsHandedOver, connectionsTakenOver: Counter
  /// Body bytes that went from socket to socket inside the kernel.
  public let splicedBytes: Counter
  /// Turns that left handshakes for the next one, and handshakes given up for newer ones.
  public let tlsHandshakesDeferred, tlsHandshakesEvicted: Counter
  public let connections, tlsHandshakesWaiting, tlsHandshakesActive: Gauge
  public let turnTime: Histogram
  let internalClient: Frozen<HTTPConnectionManagerConfig>

  public init(_ scope: StatsScope) {
    turns = scope.counter("turns")
    busyMicroseconds = scope.counter("busy_us")
    staleCompletions = scope.counter("stale_completions")
    bufferStarvations = scope.counter("receive_buffer_starvations")
    snapshotsAdopted = scope.counter("snapshots_adopted")
    hostTablesAdopted = scope.counter("host_tables_adopted")
    connectionsHandedOver = scope.counter("connections_handed_over")
    connectionsTakenOver = scope.counter("connections_taken_over")
    splicedBytes = scope.counter("spliced_bytes")
    tlsHandshakesDeferred = scope.counter("tls_handshakes_deferred")
    tlsHandshakesEvicted = scope.counter("tls_handshakes_evicted")
    connections = scope.gauge("connections")
    tlsHandshakesWaiting = scope.gauge("tls_handshakes_waiting")
    tlsHandshakesActive = scope.gauge("tls_handshakes_active")
    turnTime = scope.histogram("turn_time")
    internalClient = InternalClient.makeManager(scope.registry)
  }
}
