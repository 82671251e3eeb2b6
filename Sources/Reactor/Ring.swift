internal import CURing
internal import Glibc
public import Primitives

/// Puts operations into a kernel's submission queue and takes completions out: all that the data
/// plane does to the world while it runs.
public struct Ring {
  public let kernel: Kernel
  private let memory: UnsafeMutablePointer<io_uring>
  /// Times that the submission queue was full and had to be flushed within a turn.
  public private(set) var fullCount: UInt64 = 0

  public init(kernel: Kernel) {
    self.kernel = kernel
    self.memory = kernel.ring
  }

  private mutating func entry() -> UnsafeMutablePointer<io_uring_sqe> {
    while true {
      if let sqe = curing_sqe(memory) { return sqe }
      fullCount &+= 1
      kernel.enter(timeoutNanoseconds: 0)
    }
  }

  @inline(__always)
  private mutating func prepare(
    _ operation: io_uring_op, fd: Int32, token: Token
  ) -> UnsafeMutablePointer<io_uring_sqe> {
    let sqe = entry()
    sqe.pointee.opcode = UInt8(truncatingIfNeeded: operation.rawValue)
    sqe.pointee.fd = fd
    sqe.pointee.user_data = token.rawValue
    return sqe
  }

  /// Completions that are there now. Take that many a turn, so that a flood of new ones cannot keep
  /// the turn from ending.
  @inline(__always)
  public var readyCount: UInt32 { curing_cq_ready(memory) }

  /// Takes the oldest completion; call at most ``readyCount`` times.
  @inline(__always)
  public func nextCompletion() -> Completion? {
    guard let entry = curing_cq_head(memory) else { return nil }
    let completion = Completion(
      token: Token(rawValue: entry.pointee.user_data), result: entry.pointee.res,
      flags: entry.pointee.flags)
    curing_cq_advance(memory, 1)
    return completion
  }

  public mutating func accept(_ fd: Int32, token: Token) {
    let sqe = prepare(IORING_OP_ACCEPT, fd: fd, token: token)
    sqe.pointee.ioprio = UInt16(CURING_ACCEPT_MULTISHOT)
    curing_sqe_set_op_flags(sqe, SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
  }

  /// Receives into buffers of `group`; multishot goes on until it fails or is cancelled.
  public mutating func receive(
    _ fd: Int32, group: SegmentPool.Group, isMultishot: Bool, pollFirst: Bool, token: Token
  ) {
    let sqe = prepare(IORING_OP_RECV, fd: fd, token: token)
    sqe.pointee.flags = curing_sqe_buffer_select
    var options: UInt32 = 0
    if isMultishot { options |= CURING_RECV_MULTISHOT }
    if pollFirst { options |= CURING_RECVSEND_POLL_FIRST }
    sqe.pointee.ioprio = UInt16(options)
    curing_sqe_set_buf_group(sqe, UInt16(group.rawValue))
  }

  /// Sends all of `view`, which must stay until the completion.
  public mutating func send(_ fd: Int32, _ view: ByteView, token: Token) {
    let sqe = prepare(IORING_OP_SEND, fd: fd, token: token)
    curing_sqe_set_addr(sqe, UInt64(UInt(bitPattern: view.base)))
    sqe.pointee.len = UInt32(truncatingIfNeeded: min(view.count, Int(Int32.max)))
    curing_sqe_set_op_flags(
      sqe, UInt32(MSG_NOSIGNAL) | UInt32(MSG_WAITALL))
  }

  /// Sends a list of runs. The message header is read when the entry is submitted; the bytes must
  /// stay until the completion.
  public mutating func send(_ fd: Int32, message: UnsafeMutableRawPointer, token: Token) {
    let sqe = prepare(IORING_OP_SENDMSG, fd: fd, token: token)
    curing_sqe_set_addr(sqe, UInt64(UInt(bitPattern: message)))
    sqe.pointee.len = 1
    curing_sqe_set_op_flags(
      sqe, UInt32(MSG_NOSIGNAL) | UInt32(MSG_WAITALL))
  }

  /// - Parameter address: Must stay until the entry is submitted.
  public mutating func connect(
    _ fd: Int32, address: UnsafeRawPointer, length: UInt32, token: Token
  ) {
    let sqe = prepare(IORING_OP_CONNECT, fd: fd, token: token)
    curing_sqe_set_addr(sqe, UInt64(UInt(bitPattern: address)))
    curing_sqe_set_off(sqe, UInt64(length))
  }

  public mutating func close(_ fd: Int32, token: Token) {
    let sqe = prepare(IORING_OP_CLOSE, fd: fd, token: token)
    sqe.pointee.flags = curing_sqe_cqe_skip_success
  }

  /// Ends the sending direction.
  public mutating func shutdownWrite(_ fd: Int32, token: Token) {
    let sqe = prepare(IORING_OP_SHUTDOWN, fd: fd, token: token)
    sqe.pointee.len = UInt32(SHUT_WR)
  }

  /// Cancels the operation that was submitted with `target`.
  public mutating func cancel(_ target: Token, token: Token) {
    let sqe = prepare(IORING_OP_ASYNC_CANCEL, fd: -1, token: token)
    curing_sqe_set_addr(sqe, target.rawValue)
  }

  /// Cancels everything on a descriptor.
  public mutating func cancelAll(_ fd: Int32, token: Token) {
    let sqe = prepare(IORING_OP_ASYNC_CANCEL, fd: fd, token: token)
    curing_sqe_set_op_flags(sqe, CURING_ASYNC_CANCEL_FD | CURING_ASYNC_CANCEL_ALL)
  }

  /// Reports readability again and again.
  public mutating func poll(_ fd: Int32, token: Token) {
    let sqe = prepare(IORING_OP_POLL_ADD, fd: fd, token: token)
    sqe.pointee.len = CURING_POLL_ADD_MULTI
    curing_sqe_set_op_flags(sqe, UInt32(POLLIN))
  }

  /// Reports once that there is something to read, or that the peer has ended or failed.
  public mutating func awaitReadable(_ fd: Int32, token: Token) {
    let sqe = prepare(IORING_OP_POLL_ADD, fd: fd, token: token)
    curing_sqe_set_op_flags(sqe, UInt32(POLLIN))
  }

  /// Reports once that there is room to write, or that the peer has failed.
  public mutating func awaitWritable(_ fd: Int32, token: Token) {
    let sqe = prepare(IORING_OP_POLL_ADD, fd: fd, token: token)
    curing_sqe_set_op_flags(sqe, UInt32(POLLOUT))
  }

  /// Puts a completion with `token` and the number `fd` into another ring; `failure` completes here
  /// when that cannot be done.
  public mutating func hand(_ fd: Int32, to ringDescriptor: Int32, token: Token, failure: Token) {
    let sqe = prepare(IORING_OP_MSG_RING, fd: ringDescriptor, token: failure)
    sqe.pointee.flags = curing_sqe_cqe_skip_success
    sqe.pointee.len = UInt32(bitPattern: fd)
    curing_sqe_set_off(sqe, token.rawValue)
  }

  /// Puts a completion with `token` and `result` into another ring.
  public mutating func message(to ringDescriptor: Int32, token: Token, result: UInt32) {
    let sqe = prepare(IORING_OP_MSG_RING, fd: ringDescriptor, token: Token(.ignore, slot: 0, generation: 0))
    sqe.pointee.len = result
    curing_sqe_set_off(sqe, token.rawValue)
  }
}
