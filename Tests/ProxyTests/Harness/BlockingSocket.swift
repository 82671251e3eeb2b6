import Glibc

/// A blocking TCP socket on the loopback interface; every wait has a deadline.
final class BlockingSocket: @unchecked Sendable {
  // Sendable: the descriptor never changes; the kernel serialises its use.
  let fd: Int32
  /// Received and not yet taken.
  var buffered: [UInt8] = []
  static let deadlineSeconds = 20

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  init(fd: Int32) {
    self.fd = fd
    var time = timeval(tv_sec: Self.deadlineSeconds, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, size)
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, size)
    var one: Int32 = 1
    setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
  }

  deinit { Glibc.close(fd) }

  static func connect(port: UInt16) throws -> BlockingSocket {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard fd >= 0 else { throw Failure(description: "socket: \(errno)") }
    let result = BlockingSocket(fd: fd)
    var address = loopback(port)
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else { throw Failure(description: "connect: \(errno)") }
    return result
  }

  /// A listening socket on a port that the kernel chooses.
  static func listen(reusePort: Bool = false) throws -> (fd: Int32, port: UInt16) {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard fd >= 0 else { throw Failure(description: "socket: \(errno)") }
    var address = loopback(0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
        bind(fd, raw, length) == 0 && Glibc.listen(fd, 128) == 0
          && getsockname(fd, raw, &length) == 0
      }
    }
    guard code else { throw Failure(description: "listen: \(errno)") }
    return (fd, UInt16(bigEndian: address.sin_port))
  }

  private static func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) throws {
    var at = 0
    while at < bytes.count {
      let sent = bytes[at...].withUnsafeBytes {
        Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if sent < 0, errno == EINTR { continue }
      guard sent > 0 else { throw Failure(description: "send: \(errno)") }
      at += sent
    }
  }

  /// More bytes into `buffered`; false at the end of the stream.
  func receive() throws -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65536)
    var count = -1
    // A signal for another thread's sake is no answer.
    repeat {
      count = chunk.withUnsafeMutableBytes { recv(fd, $0.baseAddress, $0.count, 0) }
    } while count < 0 && errno == EINTR
    if count < 0, errno == ECONNRESET { return false }
    guard count >= 0 else { throw Failure(description: "receive: \(errno), have \(buffered.count)") }
    buffered.append(contentsOf: chunk[0..<count])
    return count > 0
  }

  /// Everything to the end of the stream.
  func readToEnd() throws -> [UInt8] {
    while try receive() {}
    defer { buffered = [] }
    return buffered
  }

  /// Takes bytes up to and with `mark`.
  func read(through mark: String) throws -> [UInt8] {
    let mark = Array(mark.utf8)
    while true {
      if let end = buffered.firstEnd(of: mark) {
        defer { buffered.removeFirst(end) }
        return Array(buffered[0..<end])
      }
      guard try receive() else {
        throw Failure(
          description: "ended with \(String(decoding: buffered, as: UTF8.self).debugDescription)")
      }
    }
  }

  func read(count: Int) throws -> [UInt8] {
    while buffered.count < count {
      guard try receive() else {
        throw Failure(description: "ended after \(buffered.count) of \(count) bytes")
      }
    }
    defer { buffered.removeFirst(count) }
    return Array(buffered[0..<count])
  }

  func shutdownBoth() { Glibc.shutdown(fd, Int32(SHUT_RDWR)) }
  func shutdownWrite() { Glibc.shutdown(fd, Int32(SHUT_WR)) }
}

extension [UInt8] {
  fileprivate func firstEnd(of mark: [UInt8]) -> Int? {
    guard count >= mark.count else { return nil }
    for i in 0...(count - mark.count) where self[i] == mark[0] {
      if self[i..<(i + mark.count)].elementsEqual(mark) { return i + mark.count }
    }
    return nil
  }
}
