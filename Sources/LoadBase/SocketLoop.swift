import CSystem
import Glibc
import Primitives
public import Reactor
public import TLS

/// Sockets on one ring: the loop under the load generator and under its origin.
///
/// It knows bytes, not protocols: a subclass is told what came and appends what is to go. One thread
/// makes it and runs it. A turn is one submit-and-wait for all sockets; nothing is allocated in it
/// once as many sockets were open as ever will be.
open class SocketLoop {
  // Final: an overridable property is reached through a coroutine, which allocates.
  public final let kernel: Kernel
  public final var ring: Ring
  public final let segments: SegmentPool
  /// Nanoseconds of the monotonic clock when the turn's completions were there.
  public final private(set) var now: UInt64
  final var timers: TimerWheel
  final var table = SocketTable()
  final var dirty: SocketRef?
  final var starved: SocketRef?
  final var held: SocketRef?
  final var graveyard: [SocketRef] = []
  final var freeTLS: LoopTLSRef?
  final var tlsLibrary: TLSLibrary?
  final let message = MessageScratch()
  /// A listening socket for which there was no descriptor; -1: none.
  final var pausedListener: Int32 = -1
  final var acceptAgainAt: UInt64 = 0

  /// - Parameters:
  ///   - socketsExpected: Sockets that may have bytes at the same time; decides how many receive
  ///     buffers there are.
  public init(kernel: Kernel, socketsExpected: Int) throws(RingError) {
    self.kernel = kernel
    ring = Ring(kernel: kernel)
    segments = try SegmentPool(kernel: kernel, sizes: Self.sizes(socketsExpected))
    now = kernel.monotonicNow()
    timers = TimerWheel(nowMilliseconds: now / 1_000_000)
    graveyard.reserveCapacity(64)
  }

  deinit {
    while let tls = freeTLS {
      freeTLS = tls.pointee.nextFree
      tls.deallocate()
    }
  }

  /// Bytes are used as they come and buffers go back within the turn, so one size serves small
  /// answers (only the first pages of a buffer are ever touched) and large ones.
  private static func sizes(_ socketsExpected: Int) -> SegmentPool.Sizes {
    var sizes = SegmentPool.Sizes()
    sizes.smallCount = 64
    while sizes.smallCount < socketsExpected * 2, sizes.smallCount < 1024 { sizes.smallCount *= 2 }
    sizes.smallBytes = 64 * 1024
    sizes.largeCount = 1
    sizes.largeBytes = 4096
    return sizes
  }

  // MARK: What a subclass does

  /// The connection is there, or `errno` says why not; then the subclass closes it.
  open func connected(_ socket: SocketRef, errno: Int32) {}

  /// A peer has come; to be closed when unwanted.
  open func accepted(_ socket: SocketRef) {}

  /// Bytes. The segment is the subclass's now: it releases it, or passes it on.
  open func received(_ socket: SocketRef, _ segment: SegmentRef) { segments.release(segment) }

  /// The peer sends no more.
  open func readEnded(_ socket: SocketRef) { close(socket) }

  /// The socket broke.
  open func failed(_ socket: SocketRef, errno: Int32) { close(socket) }

  /// The kernel took `count` more bytes of the output; with TLS, of records made of it.
  open func sent(_ socket: SocketRef, count: Int) {}

  /// The handshake of ``startTLS(_:_:_:isClient:keepsTicket:)`` is over; views in `agreement` are valid within.
  open func secured(_ socket: SocketRef, _ agreement: TLSAgreement) {}

  /// TLS cannot go on, during the handshake or after it: why, in words that are part of a sentence.
  open func tlsFailed(_ socket: SocketRef, _ reason: String) { close(socket) }

  /// A ticket for a later connection, which is the subclass's now.
  open func ticketCame(_ socket: SocketRef, _ ticket: ClientTicket) { ticket.free() }

  /// TLS: so many bytes of records came, which ``received(_:_:)`` may say nothing of.
  open func recordsCame(_ socket: SocketRef, count: Int) {}

  /// The time that ``wake(_:at:)`` named has come.
  open func timeReached(_ socket: SocketRef) {}

  /// All events of the turn have been handled; output appended now still leaves with it.
  /// - Returns: Nanoseconds that the loop may sleep if nothing happens.
  open func endOfTurn() -> UInt64 { 100_000_000 }

  // MARK: Turns

  /// Runs one turn.
  public final func turn() {
    message.reset()
    now = kernel.monotonicNow()
    var left = ring.readyCount
    while left > 0, let completion = ring.nextCompletion() {
      handle(completion)
      left &-= 1
    }
    fireTimers()
    resumeAccepting()
    deliverHeld()
    let wait = endOfTurn()
    armStarved()
    flushDirty()
    freeClosed()
    kernel.enter(timeoutNanoseconds: held == nil ? min(wait, timerWait()) : 0)
  }

  public final var socketCount: Int { table.liveCount }

  private func timerWait() -> UInt64 {
    guard let wake = timers.nextWake else { return .max }
    let due = wake &* 1_000_000
    return due > now ? due - now : 0
  }

  private func fireTimers() {
    while let node = timers.popDue(nowMilliseconds: now / 1_000_000) {
      let socket = node.pointee.owner.assumingMemoryBound(to: LoopSocket.self)
      let deadline = socket.pointee.deadline
      guard deadline > 0, !socket.pointee.has(.closed) else { continue }
      if deadline <= now {
        socket.pointee.deadline = 0
        timeReached(socket)
      } else {
        schedule(socket, deadline)
      }
    }
  }

  /// Asks for ``timeReached(_:)`` at `time` (nanoseconds) in place of any earlier wish; 0 = never.
  ///
  /// A timer that is due earlier stays, fires and moves: a request costs a comparison.
  @inline(__always)
  public final func wake(_ socket: SocketRef, at time: UInt64) {
    socket.pointee.deadline = time
    guard time > 0 else { return }
    let timer = Self.timer(of: socket)
    if timer.pointee.isScheduled, timer.pointee.deadline &* 1_000_000 <= time { return }
    schedule(socket, time)
  }

  private func schedule(_ socket: SocketRef, _ time: UInt64) {
    timers.schedule(Self.timer(of: socket), at: time / 1_000_000 &+ 1)
  }

  private static let timerOffset = MemoryLayout<LoopSocket>.offset(of: \.timer) ?? 0

  @inline(__always)
  static func timer(of socket: SocketRef) -> UnsafeMutablePointer<TimerNode> {
    UnsafeMutableRawPointer(socket).advanced(by: timerOffset)
      .assumingMemoryBound(to: TimerNode.self)
  }

  @inline(__always)
  private func handle(_ completion: Completion) {
    switch completion.token.operation {
    case .receive:
      guard let socket = table.find(completion.token) else { return }
      onReceive(socket, completion)
    case .send:
      guard let socket = table.find(completion.token) else { return }
      onSent(socket, completion.result)
    case .connect:
      guard let socket = table.find(completion.token) else { return }
      onConnected(socket, completion.result)
    case .accept: onAccept(completion)
    case .close, .cancel, .shutdown, .message, .poll, .readable, .writable, .handover, .handoverFailed, .ignore, nil: break
    }
  }
}
