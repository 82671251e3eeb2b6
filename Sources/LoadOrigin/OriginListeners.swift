import CSystem
import Glibc
import LoadBase
import Primitives
import Reactor

/// Listening sockets of an origin: one a thread, the kernel spreads connections over them.
enum OriginListeners {
  static func open(
    _ address: SocketAddress, count: Int
  ) throws(RunFailure) -> ([Int32], SocketAddress) {
    var actual = address
    var listeners: [Int32] = []
    for index in 0..<count {
      // A path can be bound once: every thread accepts from the same socket.
      if case .pipe = address, let first = listeners.first {
        listeners.append(fcntl(first, F_DUPFD_CLOEXEC, 0))
        continue
      }
      let listener = try open(actual, wanted: address)
      listeners.append(listener)
      if index == 0 { actual = boundAddress(listener) ?? actual }
    }
    return (listeners, actual)
  }

  private static func open(
    _ address: SocketAddress, wanted: SocketAddress
  ) throws(RunFailure) -> Int32 {
    guard let target = KernelAddress(address) else {
      throw RunFailure("cannot listen on \(address): the path is too long for a socket")
    }
    let type =
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let fd = socket(address.family, type, 0)
    if fd >= 0, address.ip != nil {
      set(fd, SOL_SOCKET, SO_REUSEADDR)
      set(fd, SOL_SOCKET, SO_REUSEPORT)
      // Accepted sockets inherit it.
      set(fd, Int32(IPPROTO_TCP), TCP_NODELAY)
    }
    if fd >= 0,
      target.withPointer({
        bind(fd, $0.assumingMemoryBound(to: sockaddr.self), socklen_t(target.length))
      }) == 0, listen(fd, 4096) == 0
    {
      return fd
    }
    let reason = String(cString: strerror(csystem_errno())).lowercased()
    if fd >= 0 { close(fd) }
    throw RunFailure("cannot listen on \(wanted): \(reason)")
  }

  private static func set(_ fd: Int32, _ level: Int32, _ name: Int32) {
    var value: Int32 = 1
    setsockopt(fd, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func boundAddress(_ fd: Int32) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { raw in
      raw.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(fd, $0, &length) == 0
          ? SocketAddress(UnsafeRawPointer(raw), length: Int(length)) : nil
      }
    }
  }
}
