public import LoadBase

/// What a URL says: where to connect, what to call the host, what to ask for.
public struct TargetURL: Equatable, Sendable {
  public enum Scheme: String, Sendable { case http, tcp }

  public var scheme: Scheme
  /// A name or an address, an IPv6 one without brackets.
  public var host: String
  public var port: UInt16
  /// Path and query, with templates not yet expanded; `/` when there is none.
  public var path: String

  /// `http://host[:port][/path][?query]`, `tcp://host:port`; without a scheme `http` is meant.
  public init(_ text: String) throws(UsageError) {
    var rest = Substring(text)
    scheme = .http
    if let mark = text.firstRange(of: "://") {
      let name = text[..<mark.lowerBound].lowercased()
      switch name {
      case "http": scheme = .http
      case "tcp": scheme = .tcp
      case "https": throw UsageError("\(text): https is not supported yet, only http and tcp")
      default: throw UsageError("\(text): unknown scheme '\(name)', expected http or tcp")
      }
      rest = text[mark.upperBound...]
    }
    if let hash = rest.firstIndex(of: "#") { rest = rest[..<hash] }
    let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    let authority = rest[..<authorityEnd]
    path = String(rest[authorityEnd...])
    if !path.hasPrefix("/") { path = "/" + path }
    if scheme == .tcp, path != "/" {
      throw UsageError("\(text): tcp has no path, expected tcp://host:port")
    }
    (host, port) = try Self.split(authority, of: text, scheme: scheme)
  }

  private static func split(
    _ authority: Substring, of text: String, scheme: Scheme
  ) throws(UsageError) -> (String, UInt16) {
    if authority.contains("@") {
      throw UsageError("\(text): user names in URLs are not supported; use -H 'Authorization: ...'")
    }
    var host = authority
    var digits: Substring?
    if authority.hasPrefix("["), let close = authority.firstIndex(of: "]") {
      host = authority[authority.index(after: authority.startIndex)..<close]
      let after = authority[authority.index(after: close)...]
      if after.hasPrefix(":") {
        digits = after.dropFirst()
      } else if !after.isEmpty {
        throw UsageError("\(text): expected a port after ']'")
      }
    } else if let colon = authority.lastIndex(of: ":") {
      host = authority[..<colon]
      digits = authority[authority.index(after: colon)...]
    }
    guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
      throw UsageError("\(text): no host in the URL, expected http://host:port/path")
    }
    guard let digits else {
      if scheme == .tcp { throw UsageError("\(text): no port, expected tcp://host:port") }
      return (String(host), 80)
    }
    guard let port = UInt16(digits), port > 0 else {
      throw UsageError("\(text): '\(digits)' is no port, expected 1...65535")
    }
    return (String(host), port)
  }

  /// As the Host field says it.
  public var authority: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return port == 80 && scheme == .http ? name : "\(name):\(port)"
  }
}

extension TargetURL {
  func isSameServer(as other: TargetURL) -> Bool {
    scheme == other.scheme && host.lowercased() == other.host.lowercased() && port == other.port
  }

  var text: String {
    let name = host.contains(":") ? "[\(host)]" : host
    let server = port == 80 && scheme == .http ? name : "\(name):\(port)"
    return "\(scheme.rawValue)://\(server)\(scheme == .http ? path : "")"
  }
}
