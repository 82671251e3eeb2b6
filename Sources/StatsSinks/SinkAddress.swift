import Glibc

/// Where a sink sends to: an IPv4 or IPv6 address with a port.
public struct SinkAddress: Sendable, CustomStringConvertible {
  let family: Int32
  private let storage: sockaddr_storage
  private let length: socklen_t
  public let description: String

  /// - Returns: nil when `host` is not a numeric address, or the port is 0.
  public init?(host: String, port: UInt16) {
    guard port != 0 else { return nil }
    var storage = sockaddr_storage()
    var v4 = in_addr()
    var v6 = in6_addr()
    if inet_pton(AF_INET, host, &v4) == 1 {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr = v4
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in.self) }
      family = AF_INET
      length = socklen_t(MemoryLayout<sockaddr_in>.size)
      description = "\(host):\(port)"
    } else if inet_pton(AF_INET6, host, &v6) == 1 {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = port.bigEndian
      address.sin6_addr = v6
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in6.self) }
      family = AF_INET6
      length = socklen_t(MemoryLayout<sockaddr_in6>.size)
      description = "[\(host)]:\(port)"
    } else {
      return nil
    }
    self.storage = storage
  }

  func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }
}
