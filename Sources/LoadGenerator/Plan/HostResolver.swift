import Glibc
public import LoadBase
public import Primitives
import Reactor

/// Looks a name up once, before a run starts.
public enum HostResolver {
  /// - Returns: The system's first choice of address.
  public static func resolve(_ host: String, _ port: UInt16) throws(UsageError) -> SocketAddress {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, "\(port)", &hints, &list)
    defer { if let list { freeaddrinfo(list) } }
    guard code == 0 else {
      throw UsageError("\(host): \(String(cString: gai_strerror(code)).lowercased())")
    }
    var next = list
    while let entry = next {
      if let raw = entry.pointee.ai_addr,
        let address = SocketAddress(UnsafeRawPointer(raw), length: Int(entry.pointee.ai_addrlen))
      {
        return address
      }
      next = entry.pointee.ai_next
    }
    throw UsageError("\(host): no IPv4 or IPv6 address")
  }
}
