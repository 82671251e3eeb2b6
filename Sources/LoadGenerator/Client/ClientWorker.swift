import Glibc
import HTTP1
import LoadBase
import LoadReport
import Primitives
import Reactor
import Synchronization

/// One thread of the generator: its connections, its share of the schedule, what it counts.
///
/// The clock is read twice a turn: when the turn's answers are there, and when its requests go. So
/// times are exact to the length of a turn's own work: some microseconds when the thread has time
/// to spare, up to the size of one batch when it is saturated.
final class ClientWorker: SocketLoop {
  enum Traffic { case http1, tcpEcho }

  let plan: LoadPlan
  let control: RunControl
  let exchange: RecordExchange
  let index: Int
  let traffic: Traffic
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
  var fields: FieldTable
  let limits = HTTP1Limits()

  // Connections
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

  // Progress
  var startAt: UInt64 = .max
  var measureFrom: UInt64 = .max
  var stopAt: UInt64 = .max
  var isReady = false
  var isMeasuring = false
  /// Requests still to be sent.
  var budget: Int
  var pendingTotal = 0
  var record: ThreadRecord
  var recordIndex = 0
  var intervalEnd: UInt64 = .max
  var cpuAtStart: UInt64 = 0
  private(set) var cpuUsed: UInt64 = 0
  /// What the first error of each kind was about.
  var notes: [String?] = Array(repeating: nil, count: ErrorKind.allCases.count)

  /// Sockets in the middle of connecting: more would overflow a usual listen queue.
  static let connectingMax = 128

  init(
    _ plan: LoadPlan, _ layouts: [RequestLayout], weights: [Double], kernelAddress: KernelAddress,
    index: Int, control: RunControl, exchange: RecordExchange
  ) throws(RingError) {
    self.plan = plan
    self.control = control
    self.exchange = exchange
    self.index = index
    record = exchange.records[0]
    switch plan.traffic {
    case .http1:
      traffic = .http1
      echo = EchoPattern(messageBytes: 0)
    case .tcpEcho(let bytes):
      traffic = .tcpEcho
      echo = EchoPattern(messageBytes: bytes)
    }
    compiledCount = layouts.count
    compiled = .allocate(capacity: max(1, compiledCount))
    for (at, layout) in layouts.enumerated() {
      (compiled + at).initialize(to: CompiledRequest(layout))
    }
    choice = WeightedChoice(weights)
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
    fields = FieldTable(capacity: Int(limits.fieldCountMax))
    address = .allocate(capacity: 1)
    address.initialize(to: kernelAddress)
    family = plan.address.family
    pipelining = UInt32(plan.pipelining)
    connectionCount = Self.share(of: plan.connections, index, plan.threads)
    connections = .allocate(capacity: max(1, connectionCount))
    for at in 0..<connectionCount {
      (connections + at).initialize(to: ClientConnection(pipelining: plan.pipelining))
    }
    budget = plan.requests.map { Self.share(of: $0, index, plan.threads) } ?? .max
    try super.init(kernel: LinuxKernel(), socketsExpected: connectionCount)
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

  // MARK: The run

  /// Runs until the plan is done or aborted.
  func run() {
    while !isOver { turn() }
    if isMeasuring { cpuUsed = Self.threadCPU() &- cpuAtStart }
    for at in 0..<connectionCount {
      if let socket = connections[at].socket { close(socket) }
    }
    while socketCount > 0 { turn() }
  }

  private var isOver: Bool {
    if control.isAborted.load(ordering: .relaxed) { return true }
    return !mayStart(now) && pendingTotal == 0 && startAt != .max
  }

  /// Whether requests may still be begun.
  private func mayStart(_ time: UInt64) -> Bool {
    budget > 0 && time < stopAt && (!isOpenLoop || arrivals.next != .max)
  }

  override func endOfTurn() -> UInt64 {
    if control.isAborted.load(ordering: .relaxed) { return 0 }
    if startAt == .max { waitForStart() }
    let time = kernel.monotonicNow()
    if time >= intervalEnd { finishInterval(time) }
    if nextRetry <= time { connectWaiting(time) }
    guard time >= startAt else {
      return min(startAt == .max ? 1_000_000 : startAt - time, retryWait(time))
    }
    let isIssuing = mayStart(time)
    if isIssuing { issue(time) }
    if !mayStart(time) {
      if pendingTotal == 0 { return 0 }
      return 50_000_000
    }
    var wait = min(50_000_000, retryWait(time), stopAt - time)
    if intervalEnd > time { wait = min(wait, intervalEnd - time) }
    if isOpenLoop, firstListed != nil {
      let due = startAt &+ arrivals.next
      wait = due > time ? min(wait, due - time) : 0
    }
    return wait
  }

  private func retryWait(_ time: UInt64) -> UInt64 {
    if unconnected.isEmpty || connectingCount >= Self.connectingMax { return .max }
    return nextRetry > time ? nextRetry - time : 0
  }

  /// Says when this thread's connections are there, and takes over the start that main sets.
  private func waitForStart() {
    if !isReady, openCount == connectionCount || plan.newConnectionPerRequest {
      isReady = true
      control.readyThreads.add(1, ordering: .relaxed)
    }
    let start = control.start.load(ordering: .acquiring)
    guard start > 0 else { return }
    startAt = start
    measureFrom = start &+ plan.warmUp
    if let duration = plan.duration { stopAt = measureFrom &+ duration }
    intervalEnd = measureFrom
  }

  /// A slice is over: hands its record to main, or goes on with it while main is behind.
  private func finishInterval(_ time: UInt64) {
    if !isMeasuring {
      isMeasuring = true
      cpuAtStart = Self.threadCPU()
      record.reset()
    } else if let free = exchange.free(after: recordIndex) {
      record.isHandedOver.store(true, ordering: .releasing)
      recordIndex = free
      record = exchange.records[free]
    }
    let length = plan.intervalLength
    let number = (time - measureFrom) / length
    record.interval = Int(number)
    // What comes after the end belongs to the last slice's record, which main takes apart by time.
    intervalEnd = measureFrom &+ (number &+ 1) &* length
  }

  private static func threadCPU() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  // MARK: Sending

  private func issue(_ time: UInt64) {
    if isOpenLoop {
      let offset = time &- startAt
      while arrivals.next <= offset, budget > 0, let connection = takeListed() {
        begin(connection, intended: startAt &+ arrivals.next, time, isAlone: true)
        arrivals.advance()
        if canTake(connection) { list(connection) }
      }
    } else {
      while budget > 0, let connection = takeListed() {
        var isAlone = pipelining == 1 || connection.pointee.pendingCount &+ 1 == pipelining
        while budget > 0, canTake(connection) {
          begin(connection, intended: time, time, isAlone: isAlone)
          isAlone = false
        }
      }
    }
  }

  /// Sends one request, or connects first when each has a connection of its own.
  @inline(__always)
  private func begin(
    _ connection: ClientRef, intended: UInt64, _ time: UInt64, isAlone: Bool
  ) {
    if plan.newConnectionPerRequest {
      guard connect(connection, time) else { return }
    }
    guard let socket = connection.pointee.socket else { return }
    var content: UInt32 = 0
    switch traffic {
    case .http1:
      if compiledCount > 1 { content = UInt32(choice.draw(&random)) }
      compiled[Int(content)].append(
        to: &socket.pointee.output, segments, isAlone: isAlone, sequence: sequence, &random)
    case .tcpEcho:
      content = echo.start(sequence)
      socket.pointee.output.append(segments.borrowed(echo.message(content)))
    }
    sequence &+= UInt64(plan.threads)
    markDirty(socket)
    push(
      connection, PendingRequest(intended: intended, sent: time, content: content), socket, time)
  }

  @inline(__always)
  private func push(
    _ connection: ClientRef, _ request: PendingRequest, _ socket: SocketRef, _ time: UInt64
  ) {
    var place = connection.pointee.pendingFirst &+ connection.pointee.pendingCount
    if place >= pipelining { place &-= pipelining }
    connection.pointee.pending[Int(place)] = request
    connection.pointee.pendingCount &+= 1
    pendingTotal &+= 1
    budget &-= 1
    if request.intended >= measureFrom {
      record.tally.requestsSent &+= 1
      if isOpenLoop { record.scheduleError.record(nanoseconds: time &- request.intended) }
    }
    if connection.pointee.pendingCount == 1, !socket.pointee.isConnecting {
      wake(socket, at: time &+ plan.timeout)
    }
  }

  override func sent(_ socket: SocketRef, count: Int) {
    if isMeasuring { record.tally.bytesWritten &+= UInt64(count) }
  }

  // MARK: Which connection is next

  @inline(__always)
  func canTake(_ connection: ClientRef) -> Bool {
    if plan.newConnectionPerRequest {
      return connection.pointee.socket == nil && connection.pointee.retryAt <= now
    }
    guard let socket = connection.pointee.socket else { return false }
    return connection.pointee.pendingCount < pipelining && !connection.pointee.isEnding
      && !socket.pointee.isConnecting
  }

  @inline(__always)
  func list(_ connection: ClientRef) {
    guard !connection.pointee.isListed else { return }
    connection.pointee.isListed = true
    connection.pointee.next = nil
    if let last = lastListed { last.pointee.next = connection } else { firstListed = connection }
    lastListed = connection
  }

  /// The connection that has waited longest; skips those that broke meanwhile.
  @inline(__always)
  private func takeListed() -> ClientRef? {
    while let connection = firstListed {
      firstListed = connection.pointee.next
      if firstListed == nil { lastListed = nil }
      connection.pointee.isListed = false
      if canTake(connection) { return connection }
    }
    return nil
  }
}
