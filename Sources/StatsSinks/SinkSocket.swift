import Glibc

/// A connected, non-blocking socket. Every wait has an end.
struct SinkSocket: ~Copyable {
  private let descriptor: Int32

  enum Kind { case datagram, stream }

  /// Connects; a stream within `timeoutMilliseconds`. Nil when that failed.
  init?(_ kind: Kind, to address: SinkAddress, timeoutMilliseconds: Int32) {
    let type = Int32((kind == .datagram ? SOCK_DGRAM : SOCK_STREAM).rawValue)
    let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.family, type | flags, 0)
    guard descriptor >= 0 else { return nil }
    let result = address.withSocketAddress { connect(descriptor, $0, $1) }
    if result != 0 {
      guard errno == EINPROGRESS, Self.wait(descriptor, timeoutMilliseconds),
        Self.takeError(descriptor) == 0
      else {
        close(descriptor)
        return nil
      }
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// - Returns: Bytes that the kernel took, or the negative errno.
  borrowing func send(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard !bytes.isEmpty else { return 0 }
    while true {
      let sent = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if sent >= 0 { return sent }
      if errno != EINTR { return -Int(errno) }
    }
  }

  /// Waits until more can be sent. False after `timeoutMilliseconds`.
  borrowing func waitUntilWritable(_ timeoutMilliseconds: Int32) -> Bool {
    Self.wait(descriptor, timeoutMilliseconds)
  }

  /// Throws away what a stream's peer sent. False when it closed the connection.
  borrowing func isOpen() -> Bool {
    // A peer that sends for ever does not keep the thread here.
    for _ in 0..<16 {
      let received = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) {
        recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
      }
      if received == 0 { return false }
      if received < 0 { return errno == EAGAIN || errno == EINTR }
    }
    return true
  }

  private static func wait(_ descriptor: Int32, _ timeoutMilliseconds: Int32) -> Bool {
    var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&poller, 1, max(0, timeoutMilliseconds)) == 1
  }

  private static func takeError(_ descriptor: Int32) -> Int32 {
    var error: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 else { return errno }
    return error
  }
}
