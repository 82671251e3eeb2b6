public import CURing
public import Primitives

/// The one narrow seam between the proxy and the world: a ring, a clock, and the few socket calls
/// that are made once a connection or move large bodies.
///
/// All traffic is entries in a submission and a completion queue, which are plain memory. So the
/// seam costs the request path nothing: whoever provides the ring memory and `enter` decides what
/// the entries do. ``LinuxKernel`` hands them to io_uring; a simulator can interpret the same
/// entries deterministically.
open class Kernel {
  /// Ring memory in liburing's layout. Fixed for the kernel's life.
  public let ring: UnsafeMutablePointer<io_uring>

  public init(ring: UnsafeMutablePointer<io_uring>) {
    self.ring = ring
  }

  /// Submits what is queued and waits until a completion is there or the time is over.
  /// - Parameter timeoutNanoseconds: 0 = do not wait, nil = wait without limit.
  open func enter(timeoutNanoseconds: UInt64?) { fatalError("abstract: \(#function)") }

  /// Nanoseconds of a clock that never goes back.
  open func monotonicNow() -> UInt64 { fatalError("abstract: \(#function)") }

  /// Nanoseconds since 1970.
  open func wallNow() -> Int64 { fatalError("abstract: \(#function)") }

  /// Nanoseconds of CPU time that the calling thread has used, inside the kernel too.
  open func threadTime() -> UInt64 { 0 }

  /// Makes a ring of provided buffers known; `memory` has `count` entries. Returns 0 or -errno.
  open func registerBuffers(
    ring: UnsafeMutableRawPointer, count: Int, group: UInt16
  ) -> Int32 { fatalError("abstract: \(#function)") }

  /// A new stream socket that does not block and is closed on exec, or -errno.
  open func makeSocket(family: Int32) -> Int32 { fatalError("abstract: \(#function)") }

  open func setOption(_ fd: Int32, level: Int32, name: Int32, value: Int32) -> Int32 {
    fatalError("abstract: \(#function)")
  }

  /// The address of the peer (`peer` true) or of the socket itself.
  open func address(of fd: Int32, peer: Bool) -> SocketAddress? {
    fatalError("abstract: \(#function)")
  }

  /// What has become of the bytes that the kernel took for a socket.
  open func delivery(_ fd: Int32) -> Delivery { Delivery() }

  /// Sends a few bytes without waiting, ahead of a close; what the kernel does not take is lost.
  open func sendNow(_ fd: Int32, _ bytes: ByteView) {}

  /// A pipe for ``splice(from:to:count:)`` of about `capacity` bytes; nil when none can be had.
  open func makePipe(capacityBytes: Int) -> Pipe? { nil }

  /// Moves up to `count` bytes from a socket into a pipe, or from a pipe into a socket, without
  /// waiting and without copying them through this process.
  /// - Returns: Bytes, 0 = the socket has ended, or -errno.
  open func splice(from: Int32, to: Int32, count: Int) -> Int {
    fatalError("abstract: \(#function)")
  }

  /// Closes at once; for descriptors with no operation in flight.
  open func close(_ fd: Int32) { fatalError("abstract: \(#function)") }

  /// The descriptor by which other rings send messages to this one.
  open var ringDescriptor: Int32 { ring.pointee.ring_fd }
}
