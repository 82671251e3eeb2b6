import Glibc
import Primitives
import Reactor

/// An address of this machine that others can reach: its first that is not loopback.
enum MachineAddress {
  static let shared: IPAddress = find() ?? IPAddress(v4: 0x7F00_0001)

  private static func find() -> IPAddress? {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return nil }
    defer { freeifaddrs(list) }
    var fallback: IPAddress?
    var next = list
    while let entry = next {
      next = entry.pointee.ifa_next
      guard let raw = entry.pointee.ifa_addr else { continue }
      let family = Int32(raw.pointee.sa_family)
      guard family == AF_INET || family == AF_INET6 else { continue }
      let length = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
      guard let ip = SocketAddress(UnsafeRawPointer(raw), length: length)?.ip, !ip.isLoopback else {
        continue
      }
      if ip.family == .v4 { return ip }
      fallback = fallback ?? ip
    }
    return fallback
  }
}
