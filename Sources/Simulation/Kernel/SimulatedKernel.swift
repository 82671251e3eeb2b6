import CURing
import Glibc
import Primitives
import Reactor

/// A kernel made of plain memory: it interprets the entries that a worker submits, completes them in an
/// order that a seed decides, and owns the clock.
///
/// `enter` is where time passes: it runs the events of the simulated world until a completion is there.
class SimulatedKernel: Kernel {
  let memory: RingMemory
  let network: VirtualNetwork
  let events: EventQueue
  let dice: Dice
  let trace: Trace
  let report: (String) -> Void
  var faults: Faults { network.faults }
  var coverage: CoverageRecord { network.coverage }
  var buffers: [ProvidedBuffers?] = []
  private var sockets: [Int32: VirtualSocket] = [:]
  /// Closed descriptors, which come again, lowest first: a stale use hits somebody else's socket.
  private var freeDescriptors: [Int32] = []
  private var nextDescriptor: Int32 = 100
  /// Completions that did not fit into the queue.
  private var overflow: [(userData: UInt64, result: Int32, flags: UInt32)] = []
  private(set) var completionCount = 0
  /// Times that `enter` was called, and of those in a row that gave nothing to do.
  private(set) var enterCount = 0
  private(set) var idleEnterCount = 0
  /// The world wants the worker's loop to return.
  var wantsReturn = false
  private let wallOffset: Int64
  /// The other thread's ring, by its descriptor.
  private weak var other: SimulatedKernel?
  /// A known bug to show that the checks find it.
  var plant: KernelPlant?
  /// Most turns without anything to do before the worker is said to spin.
  static let idleEntersMax = 2000
  private let ownDescriptor: Int32
  static let workerRing: Int32 = 3
  static let mainRing: Int32 = 4

  /// - Parameter ringDescriptor: Its own ring's.
  init(
    network: VirtualNetwork, dice: Dice, entries: UInt32, ringDescriptor: Int32 = SimulatedKernel.workerRing,
    report: @escaping (String) -> Void
  ) {
    memory = RingMemory(entries: entries, completions: entries * UInt32(dice.pick([1, 2, 4])))
    self.network = network
    self.events = network.events
    self.trace = network.trace
    self.dice = dice
    ownDescriptor = ringDescriptor
    self.report = report
    wallOffset = 1_700_000_000_000_000_000
    super.init(ring: memory.ring)
  }

  deinit { memory.deallocate() }

  // MARK: Time

  override func monotonicNow() -> UInt64 { events.now }

  override func wallNow() -> Int64 { wallOffset &+ Int64(events.now) }

  override func enter(timeoutNanoseconds: UInt64?) {
    enterCount += 1
    for group in buffers { group?.observe() }
    plant?.beforeSubmission(self)
    var isIdle = submit() == 0
    flushOverflow()
    events.advance(to: events.now + UInt64(dice.within(200...20_000)))
    while events.runDue() {}
    if timeoutNanoseconds != 0, memory.readyCompletions == 0, !wantsReturn {
      wait(until: timeoutNanoseconds.map { events.now &+ $0 })
      // A timer may be all that a turn is for.
      if timeoutNanoseconds ?? .max > Time.millisecond { isIdle = false }
    }
    if memory.readyCompletions > 0 { isIdle = false }
    idleEnterCount = isIdle ? idleEnterCount + 1 : 0
    if idleEnterCount == Self.idleEntersMax {
      report("the worker spins: \(idleEnterCount) turns without anything to do")
      wantsReturn = true
    }
  }

  private func wait(until deadline: UInt64?) {
    while memory.readyCompletions == 0, !wantsReturn {
      guard let next = events.nextTime else {
        guard let deadline else {
          report("nothing will ever happen, and the worker waits without limit")
          wantsReturn = true
          return
        }
        events.advance(to: deadline)
        return
      }
      if let deadline, next > deadline {
        events.advance(to: deadline)
        return
      }
      events.advance(to: next)
      _ = events.runDue()
    }
    // Whoever waits is woken a little late: more may have come together by then.
    events.advance(to: events.now + UInt64(dice.skewed(0...50_000)))
    while events.runDue() {}
  }

  // MARK: Completions

  /// Posts one completion, or keeps it for later when the queue is full.
  ///
  /// - Returns: False when the queue was full: a multishot operation ends there.
  @discardableResult
  func post(_ userData: UInt64, _ result: Int32, flags: UInt32 = 0, what: String) -> Bool {
    trace.record(
      1, events.now, userData, UInt64(bitPattern: Int64(result)), UInt64(flags),
      text: "\(events.now) completes \(what) \(Self.shown(userData)): \(result) flags \(flags & 0xFFFF)")
    completionCount += 1
    if plant?.losesCompletion(userData, result) == true { return true }
    guard overflow.isEmpty, memory.hasRoomForCompletion else {
      coverage.note(.completionQueueFull)
      overflow.append((userData, result, flags))
      return false
    }
    memory.post(userData: userData, result: result, flags: flags)
    return true
  }

  var isCompletionQueueFull: Bool { !overflow.isEmpty || !memory.hasRoomForCompletion }

  func flushOverflow() {
    while !overflow.isEmpty, memory.hasRoomForCompletion {
      let first = overflow.removeFirst()
      memory.post(userData: first.userData, result: first.result, flags: first.flags)
    }
  }

  static func shown(_ userData: UInt64) -> String {
    let token = Token(rawValue: userData)
    let operation = token.operation.map { "\($0)" } ?? "?"
    return "[\(operation) \(token.slot).\(token.generation)]"
  }

  // MARK: Descriptors

  func socket(_ fd: Int32, _ what: String) -> VirtualSocket? {
    if let socket = sockets[fd] { return socket }
    report("\(what) on descriptor \(fd), which is not open")
    return nil
  }

  func makeDescriptor(_ kind: VirtualSocket.Kind) -> VirtualSocket {
    let fd: Int32
    if let lowest = freeDescriptors.min(), let at = freeDescriptors.firstIndex(of: lowest) {
      freeDescriptors.remove(at: at)
      fd = lowest
    } else {
      fd = nextDescriptor
      nextDescriptor += 1
    }
    let socket = VirtualSocket(fd: fd, kind: kind)
    sockets[fd] = socket
    return socket
  }

  func closeDescriptor(_ fd: Int32) {
    guard let socket = socket(fd, "close") else { return }
    if !socket.operations.isEmpty {
      report("descriptor \(fd) was closed with \(socket.operations.count) operations in flight")
    }
    trace.record(2, events.now, UInt64(fd), text: "\(events.now) descriptor \(fd) is closed")
    socket.connection?.proxyClosed()
    if let listener = socket.listener { network.close(listener) }
    if let pipe = socket.pipe {
      pipe.openEnds -= 1
      if pipe.openEnds == 0, !pipe.bytes.isEmpty {
        coverage.note(.pipeDiscarded)
        plant?.discarded(pipe)
      }
    }
    sockets[fd] = nil
    freeDescriptors.append(fd)
  }

  /// Pipes that are open, whichever way.
  var openPipes: [KernelPipe] {
    openDescriptors.compactMap {
      if case .pipeReadEnd(let pipe) = sockets[$0]?.kind { pipe } else { nil }
    }
  }

  /// Descriptors that are open now and no pipe's.
  var openSockets: [Int32] { openDescriptors.filter { sockets[$0]?.pipe == nil } }

  /// Descriptors that are open now.
  var openDescriptors: [Int32] { sockets.keys.sorted() }

  // MARK: The few plain calls

  override var ringDescriptor: Int32 { ownDescriptor }

  override func registerBuffers(
    ring: UnsafeMutableRawPointer, count: Int, group: UInt16
  ) -> Int32 {
    while buffers.count <= Int(group) { buffers.append(nil) }
    buffers[Int(group)] = ProvidedBuffers(memory: ring, count: count, report: report)
    return 0
  }

  override func makeSocket(family: Int32) -> Int32 {
    if dice.chance(faults.socketFailure) {
      coverage.note(.socketFailure)
      return -EMFILE
    }
    return makeDescriptor(.fresh).fd
  }

  override func setOption(_ fd: Int32, level: Int32, name: Int32, value: Int32) -> Int32 {
    socket(fd, "setsockopt") == nil ? -EBADF : 0
  }

  override func address(of fd: Int32, peer: Bool) -> SocketAddress? {
    guard let connection = socket(fd, "getsockname")?.connection else { return nil }
    return peer ? connection.peerAddress : connection.proxyAddress
  }

  override func delivery(_ fd: Int32) -> Delivery {
    guard let pipe = socket(fd, "getsockopt")?.connection?.toPeer else { return Delivery() }
    return Delivery(acknowledgedBytes: UInt64(pipe.arrivedTotal), isOutstanding: pipe.isOnTheWay)
  }

  override func sendNow(_ fd: Int32, _ bytes: ByteView) {
    guard let socket = socket(fd, "send"), let pipe = socket.connection?.toPeer else { return }
    let isSending = socket.operations.contains { if case .send = $0.kind { true } else { false } }
    if isSending { report("a direct send beside one in flight on descriptor \(fd)") }
    guard !pipe.isReset, !socket.isShutDown else { return }
    let count = min(bytes.count, pipe.room)
    trace.record(
      7, events.now, UInt64(fd), UInt64(count),
      text: "\(events.now) direct send of \(count) of \(bytes.count) bytes on descriptor \(fd)")
    coverage.note(.directSend)
    pipe.write(Array(bytes.buffer.prefix(count)))
  }

  override func makePipe(capacityBytes: Int) -> Reactor.Pipe? { newPipe(capacityBytes) }

  override func splice(from: Int32, to: Int32, count: Int) -> Int {
    recordedSplice(from, to, count)
  }

  override func close(_ fd: Int32) { closeDescriptor(fd) }

  // MARK: Messages between rings

  /// Connections that it makes are main's, which asks hosts how they are.
  var makesChecks: Bool { ownDescriptor == Self.mainRing }

  /// Messages to another descriptor than its own go there.
  func exchangeMessages(with other: SimulatedKernel) { self.other = other }

  func message(to descriptor: Int32, userData: UInt64, result: UInt32) {
    guard let other, descriptor == other.ringDescriptor else {
      return report("a message to descriptor \(descriptor), which is no ring")
    }
    events.after(Time.microsecond) { _ = other.post(userData, Int32(bitPattern: result), what: "message") }
  }

  /// Everything that has happened is, or has been, in the queue.
  var hasPostedAll: Bool { overflow.isEmpty }
}
