import HTTP1
import HTTP2
import HTTPCore
import LoadBase
import Primitives
import Reactor
import Synchronization
import TLS

/// One thread of the origin: answers requests as its plan says. Whatever a client does costs at most
/// its own connection.
final class OriginWorker: SocketLoop {
  let plan: OriginPlan
  let control: OriginControl
  var random: FastRandom
  /// Room for the connections made so far; given out again.
  var free: OriginRef?
  var made: [OriginRef] = []
  var due = DueQueue()
  var fields: FieldTable
  let limits = HTTP1Limits()
  let options = HTTP1RequestOptions(allowAbsoluteURL: true, acceptHTTP10: true)
  let content: AnswerContent
  let http2: OriginHTTP2
  /// Room for the requests over HTTP/2 made so far; given out again.
  var freeStreams: OriginStreamRef?
  var madeStreams: [OriginStreamRef] = []
  var firstToFlush: OriginRef?
  var served: UInt64 = 0
  private let tls: OriginTLS?
  private let listener: Int32

  /// Output of one connection above which it has to read before more is answered.
  static let outputMax = 1 << 20
  /// Bytes of one connection that wait behind an obstacle.
  static let inputMax = 256 << 10

  init(
    _ plan: OriginPlan, _ tlsPlan: OriginTLSPlan?, listener: Int32, index: Int, control: OriginControl
  ) throws(RunFailure) {
    self.plan = plan
    self.control = control
    self.listener = listener
    random = FastRandom(seed: plan.seed &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15)
    fields = FieldTable(capacity: Int(limits.fieldCountMax))
    content = AnswerContent(plan)
    http2 = OriginHTTP2(plan)
    do throws(TLSSetupError) {
      if let tlsPlan { tls = try OriginTLS(tlsPlan) } else { tls = nil }
    } catch {
      throw RunFailure("\(error)")
    }
    do throws(RingError) {
      try super.init(kernel: LinuxKernel(), socketsExpected: 256)
    } catch {
      throw RunFailure("\(error)")
    }
  }

  deinit {
    for connection in made {
      connection.pointee.held?.deallocate()
      connection.deallocate()
    }
    for stream in madeStreams { stream.deallocate() }
    fields.deallocate()
  }

  /// Serves until the control says stop.
  func run() {
    listen(listener)
    while !control.isStopped.load(ordering: .relaxed) { turn() }
    for connection in made {
      guard let socket = connection.pointee.socket else { continue }
      letGo(connection)
      close(socket)
    }
    kernel.close(listener)
    while socketCount > 0 { turn() }
  }

  override func endOfTurn() -> UInt64 {
    let time = kernel.monotonicNow()
    while let entry = due.popDue(time) {
      if let stream = entry.stream {
        if entry.serial == stream.pointee.serial { http2DueNow(stream, time) }
        continue
      }
      guard entry.serial == entry.connection.pointee.serial else { continue }
      dueNow(entry.connection, time)
    }
    http2FlushAll()
    guard let next = due.next else { return 100_000_000 }
    return min(100_000_000, next > time ? next - time : 0)
  }

  // MARK: Connections

  override func accepted(_ socket: SocketRef) {
    let connection: OriginRef
    if let known = free {
      free = known.pointee.nextFree
      connection = known
    } else {
      connection = .allocate(capacity: 1)
      connection.initialize(to: OriginConnection())
      made.append(connection)
    }
    connection.pointee.socket = socket
    socket.pointee.owner = UnsafeMutableRawPointer(connection)
    if let tls {
      guard let handshake = tls.begin() else { return end(connection) }
      startTLS(socket, handshake, tls.library, isClient: false)
    }
    startReading(socket)
  }

  override func secured(_ socket: SocketRef, _ agreement: TLSAgreement) {
    guard let connection = owner(socket), agreement.alpn == "h2" else { return }
    if !startHTTP2(connection) { end(connection) }
  }

  override func tlsFailed(_ socket: SocketRef, _ reason: String) {
    if let connection = owner(socket) { end(connection) } else { close(socket) }
  }

  /// The connection's place is free again; its socket is closed by the caller.
  func letGo(_ connection: OriginRef) {
    segments.releaseAll(&connection.pointee.input)
    http2Close(connection)
    var fresh = OriginConnection()
    fresh.isToFlush = connection.pointee.isToFlush
    fresh.nextToFlush = connection.pointee.nextToFlush
    fresh.serial = connection.pointee.serial &+ 1
    fresh.held = connection.pointee.held
    fresh.nextFree = free
    connection.pointee = fresh
    free = connection
  }

  func end(_ connection: OriginRef) {
    guard let socket = connection.pointee.socket else { return }
    letGo(connection)
    close(socket)
  }

  @inline(__always)
  private func owner(_ socket: SocketRef) -> OriginRef? {
    socket.pointee.owner?.assumingMemoryBound(to: OriginConnection.self)
  }

  override func failed(_ socket: SocketRef, errno: Int32) {
    if let connection = owner(socket) { end(connection) } else { close(socket) }
  }

  override func readEnded(_ socket: SocketRef) {
    guard let connection = owner(socket) else { return close(socket) }
    // Nothing can be asked any more by whoever said too little to be understood.
    if connection.pointee.isFresh { return end(connection) }
    connection.pointee.hasEnded = true
    endIfDone(connection)
  }

  /// The peer sends no more: the connection ends when it has all its answers.
  func endIfDone(_ connection: OriginRef) {
    guard connection.pointee.hasEnded, connection.pointee.obstacles.isDisjoint(with: .answering),
      connection.pointee.input.isEmpty, connection.pointee.streams == nil, let socket = connection.pointee.socket
    else { return }
    connection.pointee.obstacles.insert(.ending)
    closeWhenSent(connection, socket)
  }

  /// Closes behind the output; the place is free at once.
  private func closeWhenSent(_ connection: OriginRef, _ socket: SocketRef) {
    letGo(connection)
    socket.pointee.owner = nil
    closeAfterFlush(socket)
  }

  /// No more answers on this connection: what is queued goes out, then it is closed.
  func finish(_ connection: OriginRef) {
    guard let socket = connection.pointee.socket else { return }
    closeWhenSent(connection, socket)
  }

  override func received(_ socket: SocketRef, _ segment: SegmentRef) {
    guard let connection = owner(socket) else {
      // Closing behind its output: what comes now is of no interest.
      segments.release(segment)
      return
    }
    if plan.isEcho { return echo(socket, segment) }
    if connection.pointee.isFresh {
      segments.park(segment, in: &connection.pointee.input)
      sniff(connection)
    } else if connection.pointee.obstacles.isEmpty, connection.pointee.input.head == nil {
      take(connection, segment)
    } else {
      segments.park(segment, in: &connection.pointee.input)
      if connection.pointee.input.byteCount > Self.inputMax { stopReading(socket) }
    }
  }

  /// An obstacle is gone: what has waited is read.
  func resume(_ connection: OriginRef) {
    let serial = connection.pointee.serial
    while connection.pointee.serial == serial, connection.pointee.obstacles.isEmpty,
      let segment = connection.pointee.input.removeFirst()
    {
      take(connection, segment)
    }
    guard connection.pointee.serial == serial, let socket = connection.pointee.socket else { return }
    if connection.pointee.input.byteCount <= Self.inputMax / 2 { startReading(socket) }
    endIfDone(connection)
  }

  override func sent(_ socket: SocketRef, count: Int) {
    if plan.isEcho {
      if socket.pointee.output.byteCount <= Self.inputMax / 2, owner(socket) != nil {
        startReading(socket)
      }
      return
    }
    guard let connection = owner(socket) else { return }
    if let session = connection.pointee.h2, session.pointee.wantsOutput { http2MarkForFlush(connection) }
    guard connection.pointee.obstacles.contains(.outputFull),
      socket.pointee.output.byteCount <= Self.outputMax / 2
    else { return }
    connection.pointee.obstacles.remove(.outputFull)
    resume(connection)
  }

  // MARK: Echo

  private func echo(_ socket: SocketRef, _ segment: SegmentRef) {
    served &+= UInt64(segment.pointee.count)
    segments.park(segment, in: &socket.pointee.output)
    markDirty(socket)
    if socket.pointee.output.byteCount > Self.inputMax { stopReading(socket) }
  }
}
