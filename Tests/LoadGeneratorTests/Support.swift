import Glibc

/// Lets the run's threads work: what the command does by waiting for signals.
func sleepBriefly(milliseconds: Int32) { usleep(useconds_t(milliseconds) * 1000) }

/// A port of 127.0.0.1 that is taken and refuses connections: nobody listens, and nobody else gets it.
final class BoundPort {
  let number: UInt16
  private let fd: Int32

  init?() {
    fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let fd = fd
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(fd, $0, length) == 0 && getsockname(fd, $0, &length) == 0
      }
    }
    number = UInt16(bigEndian: address.sin_port)
    guard isBound else { return nil }
  }

  deinit { close(fd) }
}
