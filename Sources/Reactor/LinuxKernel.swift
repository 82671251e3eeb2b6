internal import CSystem
internal import CURing
internal import Glibc
public import Primitives

/// The real thing: one io_uring, owned by the thread that made it.
public final class LinuxKernel: Kernel {
  /// Creates the ring on the calling thread, which is the only one that may use it.
  ///
  /// - Parameter entries: Submission queue size; the completion queue is four times as large.
  /// - Throws: ``RingError``, one sentence that says what to do.
  public init(entries: UInt32 = 1024) throws(RingError) {
    let ring = UnsafeMutablePointer<io_uring>.allocate(capacity: 1)
    ring.initialize(to: io_uring())
    var parameters = io_uring_params()
    parameters.flags =
      UInt32(IORING_SETUP_SINGLE_ISSUER) | UInt32(IORING_SETUP_DEFER_TASKRUN)
      | UInt32(IORING_SETUP_CQSIZE) | UInt32(IORING_SETUP_SUBMIT_ALL)
    parameters.cq_entries = entries * 4
    let code = io_uring_queue_init_params(entries, ring, &parameters)
    guard code == 0 else {
      ring.deallocate()
      throw RingError(errno: -code)
    }
    super.init(ring: ring)
  }

  deinit {
    io_uring_queue_exit(ring)
    ring.deallocate()
  }

  public override func enter(timeoutNanoseconds: UInt64?) {
    if timeoutNanoseconds == 0 || curing_cq_ready(ring) > 0 {
      // Runs deferred completions too: submit alone would not.
      _ = io_uring_submit_and_get_events(ring)
      return
    }
    var first: UnsafeMutablePointer<io_uring_cqe>?
    if let limit = timeoutNanoseconds {
      var span = __kernel_timespec(
        tv_sec: Int64(limit / 1_000_000_000), tv_nsec: Int64(limit % 1_000_000_000))
      _ = io_uring_submit_and_wait_timeout(ring, &first, 1, &span, nil)
    } else {
      _ = io_uring_submit_and_wait(ring, 1)
    }
  }

  public override func monotonicNow() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
  }

  public override func wallNow() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) &* 1_000_000_000 &+ Int64(now.tv_nsec)
  }

  public override func threadTime() -> UInt64 {
    var used = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used)
    return UInt64(used.tv_sec) &* 1_000_000_000 &+ UInt64(used.tv_nsec)
  }

  public override func registerBuffers(
    ring memory: UnsafeMutableRawPointer, count: Int, group: UInt16
  ) -> Int32 {
    var registration = io_uring_buf_reg()
    registration.ring_addr = UInt64(UInt(bitPattern: memory))
    registration.ring_entries = UInt32(count)
    registration.bgid = group
    return io_uring_register_buf_ring(ring, &registration, 0)
  }

  public override func makeSocket(family: Int32) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let fd = Glibc.socket(family, type, 0)
    return fd >= 0 ? fd : -csystem_errno()
  }

  public override func setOption(_ fd: Int32, level: Int32, name: Int32, value: Int32) -> Int32 {
    var value = value
    let code = setsockopt(fd, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    return code == 0 ? 0 : -csystem_errno()
  }

  public override func address(of fd: Int32, peer: Bool) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { raw in
      raw.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        let code = peer ? getpeername(fd, address, &length) : getsockname(fd, address, &length)
        return code == 0 ? SocketAddress(UnsafeRawPointer(raw), length: Int(length)) : nil
      }
    }
  }

  public override func delivery(_ fd: Int32) -> Delivery {
    var acknowledged: UInt = 0
    let isOutstanding = csystem_delivery(fd, &acknowledged) != 0
    return Delivery(acknowledgedBytes: UInt64(acknowledged), isOutstanding: isOutstanding)
  }

  public override func sendNow(_ fd: Int32, _ bytes: ByteView) {
    _ = Glibc.send(fd, bytes.base, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
  }

  public override func makePipe(capacityBytes: Int) -> Pipe? {
    // A splice into a socket whose peer has gone raises SIGPIPE; unlike a send it takes no flag
    // against that.
    csystem_ignore_sigpipe()
    var ends: (Int32, Int32) = (-1, -1)
    let size = withUnsafeMutablePointer(to: &ends) {
      $0.withMemoryRebound(to: Int32.self, capacity: 2) {
        csystem_pipe($0, Int32(clamping: capacityBytes))
      }
    }
    return size > 0 ? Pipe(readEnd: ends.0, writeEnd: ends.1, capacityBytes: size) : nil
  }

  public override func splice(from: Int32, to: Int32, count: Int) -> Int {
    Int(csystem_splice(from, to, UInt(max(0, count))))
  }

  public override func close(_ fd: Int32) {
    _ = Glibc.close(fd)
  }
}
