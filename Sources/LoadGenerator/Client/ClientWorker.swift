import HTTP1
import LoadBase
import LoadReport
import Primitives
import Reactor
import TLS

/// One thread of the generator: its connections, its share of the schedule, what it counts.
///
/// The clock is read twice a turn: when the turn's answers are there, and when its requests go. So
/// times are exact to the length of a turn's own work: some microseconds when the thread has time
/// to spare, up to the size of one batch when it is saturated.
final class ClientWorker: SocketLoop {
  enum Traffic { case http, tcpEcho }

  let plan: LoadPlan
  let control: RunControl
  let exchange: RecordExchange
  let index: Int
  let traffic: Traffic
  let version: HTTPVersionChoice
  let isGRPC: Bool
  let isOpenLoop: Bool

  // What is sent
  let compiled: UnsafeMutablePointer<CompiledRequest>
  let compiledCount: Int
  let choice: WeightedChoice
  var random: FastRandom
  var sequence: UInt64
  let echo: EchoPattern
  var arrivals: Arrivals

  // What is expected
  let acceptedStatuses: UnsafeMutablePointer<Bool>
  let expectedBody: UnsafeMutablePointer<UInt8>?
  let expectedBodyCount: Int
  let hashesBody: Bool
  let checksBody: Bool
  var fields: FieldTable
  let limits = HTTP1Limits()

  // HTTP/2
  let http2: ClientHTTP2?
  /// Of `http2`; nothing is counted on the way to them.
  let http2Compiled: UnsafeMutablePointer<CompiledHTTP2Request>
  let http2Turn: UnsafeMutablePointer<Arena>
  let streamsMax: UInt32
  var streams = LoadStreamPool()
  var firstToFlush: ClientRef?
  var hasSpokenHTTP1 = false
  var hasSpokenHTTP2 = false
  /// A request with a connection of its own waits until it is known what the connection speaks.
  let holdsRequests: Bool

  // Connections
  let tls: ClientTLS?
  let address: UnsafeMutablePointer<KernelAddress>
  let family: Int32
  let connections: UnsafeMutablePointer<ClientConnection>
  let connectionCount: Int
  let pipelining: UInt32
  /// May take a request; first in, first out, so that all connections are used alike.
  var firstListed: ClientRef?
  var lastListed: ClientRef?
  /// Wait for their turn to connect.
  var unconnected: [ClientRef] = []
  /// When the first of them may.
  var nextRetry: UInt64 = 0
  var connectingCount = 0
  var openCount = 0
  var firstFailure: UInt64 = 0
  /// Open loop: at the end of the last turn every connection was taken.
  var hadNoConnection = false

  // Progress
  var startAt: UInt64 = .max
  var measureFrom: UInt64 = .max
  var stopAt: UInt64 = .max
  /// Open loop: the end was noticed, no more is sent.
  var hasStopped = false
  var isReady = false
  var isMeasuring = false
  /// Requests still to be sent.
  var budget: Int
  var pendingTotal = 0
  var record: ThreadRecord
  var recordIndex = 0
  var intervalEnd: UInt64 = .max
  var cpuAtStart: UInt64 = 0
  var waitingNoted = 0
  var cpuUsed: UInt64 = 0
  var finishedAt: UInt64 = 0
  /// What the first error of each kind was about.
  var notes: [String?] = Array(repeating: nil, count: ErrorKind.allCases.count)

  /// Sockets in the middle of connecting: more would overflow a usual listen queue.
  static let connectingMax = 128

  init(
    _ plan: LoadPlan, _ layouts: RequestLayouts, kernelAddress: KernelAddress,
    index: Int, control: RunControl, exchange: RecordExchange
  ) throws(RunFailure) {
    self.plan = plan
    self.control = control
    self.exchange = exchange
    self.index = index
    record = exchange.records[0]
    switch plan.traffic {
    case .http, .grpc:
      traffic = .http
      echo = EchoPattern(messageBytes: 0)
    case .tcpEcho(let bytes):
      traffic = .tcpEcho
      echo = EchoPattern(messageBytes: bytes)
    }
    version = plan.version
    isGRPC = plan.isGRPC
    compiledCount = layouts.http1.count
    compiled = .allocate(capacity: max(1, compiledCount))
    for (at, layout) in layouts.http1.enumerated() {
      (compiled + at).initialize(to: CompiledRequest(layout))
    }
    choice = WeightedChoice(layouts.weights)
    random = FastRandom(seed: plan.seed &+ UInt64(index) &* 0xD1B5_4A32_D192_ED03)
    sequence = UInt64(index)
    switch plan.pace {
    case .closed:
      isOpenLoop = false
      arrivals = Arrivals(
        .constant(rate: 1, duration: nil, warmUp: 0), kind: .constant, thread: 0, of: 1, seed: 0)
    case .open(let schedule, let kind):
      isOpenLoop = true
      arrivals = Arrivals(
        schedule, kind: kind, thread: index, of: plan.threads, seed: plan.seed)
    }
    acceptedStatuses = .allocate(capacity: 1000)
    for status in 0..<1000 {
      (acceptedStatuses + status).initialize(to: plan.check.accepts(status: status))
    }
    if let body = plan.check.body {
      let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, body.count))
      copy.initialize(from: body, count: body.count)
      expectedBody = copy
    } else {
      expectedBody = nil
    }
    expectedBodyCount = plan.check.body?.count ?? 0
    hashesBody = plan.check.bodyHash != nil
    checksBody = expectedBody != nil || hashesBody || plan.check.bodyBytes != nil
    fields = FieldTable(capacity: Int(limits.fieldCountMax))
    address = .allocate(capacity: 1)
    address.initialize(to: kernelAddress)
    family = plan.address.family
    http2 = layouts.http2.isEmpty ? nil : ClientHTTP2(layouts.http2)
    // Never looked at without HTTP/2.
    let nowhere = UnsafeMutableRawPointer(acceptedStatuses)
    http2Compiled = http2?.compiled ?? nowhere.assumingMemoryBound(to: CompiledHTTP2Request.self)
    http2Turn = http2?.turn ?? nowhere.assumingMemoryBound(to: Arena.self)
    streamsMax = UInt32(plan.streams)
    holdsRequests = plan.newConnectionPerRequest && http2 != nil
    pipelining = UInt32(plan.pipelining)
    connectionCount = Self.share(of: plan.connections, index, plan.threads)
    connections = .allocate(capacity: max(1, connectionCount))
    for at in 0..<connectionCount {
      (connections + at).initialize(to: ClientConnection(pipelining: plan.pipelining))
    }
    budget = plan.requests.map { Self.share(of: $0, index, plan.threads) } ?? .max
    do throws(TLSSetupError) {
      let protocols = plan.applicationProtocols
      if let plan = plan.tls {
        tls = try ClientTLS(plan, protocols: protocols, ticketsMax: connectionCount)
      } else {
        tls = nil
      }
    } catch {
      throw RunFailure("\(error)")
    }
    do throws(RingError) {
      try super.init(kernel: LinuxKernel(), socketsExpected: connectionCount)
    } catch {
      throw RunFailure("\(error)")
    }
    unconnected.reserveCapacity(connectionCount)
    for at in 0..<connectionCount {
      if plan.newConnectionPerRequest {
        list(connections + at)
      } else {
        unconnected.append(connections + at)
      }
    }
  }

  deinit {
    for at in 0..<compiledCount { compiled[at].deallocate() }
    for at in 0..<connectionCount { connections[at].deallocate() }
    compiled.deallocate()
    connections.deallocate()
    acceptedStatuses.deallocate()
    expectedBody?.deallocate()
    fields.deallocate()
    address.deallocate()
    echo.deallocate()
  }

  /// What one of `threads` gets of `count` things.
  static func share(of count: Int, _ index: Int, _ threads: Int) -> Int {
    count / threads + (index < count % threads ? 1 : 0)
  }

  // MARK: Events

  override func connected(_ socket: SocketRef, errno: Int32) { connectionDone(socket, errno: errno) }
  override func received(_ socket: SocketRef, _ segment: SegmentRef) { bytesCame(socket, segment) }
  override func readEnded(_ socket: SocketRef) { peerEnded(socket) }
  override func failed(_ socket: SocketRef, errno: Int32) { socketBroke(socket, errno: errno) }
  override func timeReached(_ socket: SocketRef) { deadlinePassed(socket) }

  override func endOfTurn() -> UInt64 {
    let wait = turnEnded()
    return http2FlushAll() ? 0 : wait
  }

  override func secured(_ socket: SocketRef, _ agreement: TLSAgreement) { handshakeDone(socket, agreement) }
  override func tlsFailed(_ socket: SocketRef, _ reason: String) { handshakeOrRecordFailed(socket, reason) }
  override func ticketCame(_ socket: SocketRef, _ ticket: ClientTicket) { tls?.keep(ticket) }

  override func recordsCame(_ socket: SocketRef, count: Int) {
    if isMeasuring { record.tally.bytesRead &+= UInt64(count) }
  }

  override func sent(_ socket: SocketRef, count: Int) {
    if isMeasuring { record.tally.bytesWritten &+= UInt64(count) }
    if http2 != nil, let connection = owner(socket), let session = connection.pointee.h2 {
      http2Sent(connection, session, socket)
    }
  }
}
