/// Where a socket is: IP and port, or a path. Configuration and logs use it; the kernel's own
/// layout is made by the reactor.
public enum SocketAddress: Hashable, Sendable {
  case ip(IPAddress, port: UInt16)
  /// A Unix domain socket; a leading `@` means the abstract namespace.
  case pipe(String)

  public var port: UInt16? {
    if case .ip(_, let port) = self { port } else { nil }
  }

  public var ip: IPAddress? {
    if case .ip(let address, _) = self { address } else { nil }
  }

  /// Parses `1.2.3.4:80`, `[::1]:80`, `:80` (all IPv4 addresses) and `unix:/path`.
  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard !path.isEmpty else { return nil }
      self = .pipe(path)
      return
    }
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard digits.utf8.allSatisfy(ASCII.isDigit), let port = UInt16(digits) else { return nil }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
      guard host.contains(":") else { return nil }
    } else if host.contains(":") {
      return nil
    }
    if host.isEmpty { host = "0.0.0.0" }
    guard let address = IPAddress(host) else { return nil }
    self = .ip(address, port: port)
  }
}

extension SocketAddress: CustomStringConvertible {
  public var description: String {
    switch self {
    case .ip(let address, let port):
      address.family == .v4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    case .pipe(let path): path
    }
  }
}
