public import LoadBase

/// What a URL says: where to connect, what to call the host, what to ask for.
public struct TargetURL: Equatable, Sendable {
  public enum Scheme: String, Sendable {
    case http, https, tcp
    /// Whatever it is, over TLS.
    case tls

    var isTLS: Bool { self == .https || self == .tls }
    var isHTTP: Bool { self == .http || self == .https }

    /// nil: a URL must name one.
    var defaultPort: UInt16? {
      switch self {
      case .http: 80
      case .https: 443
      case .tcp, .tls: nil
      }
    }
  }

  public var scheme: Scheme
  /// A name or an address, an IPv6 one without brackets.
  public var host: String
  public var port: UInt16
  /// Path and query, with templates not yet expanded; `/` when there is none.
  public var path: String

  /// `http://host[:port][/path][?query]`, the same with `https`, `tcp://host:port`, `tls://host:port`; without a
  /// scheme `http` is meant.
  public init(_ text: String) throws(UsageError) {
    var rest = Substring(text)
    scheme = .http
    if let mark = text.firstRange(of: "://") {
      let name = text[..<mark.lowerBound].lowercased()
      guard let known = Scheme(rawValue: name) else {
        throw UsageError("\(text): unknown scheme '\(name)', expected http, https, tcp or tls")
      }
      scheme = known
      rest = text[mark.upperBound...]
    }
    if let hash = rest.firstIndex(of: "#") { rest = rest[..<hash] }
    let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    let authority = rest[..<authorityEnd]
    path = String(rest[authorityEnd...])
    if !path.hasPrefix("/") { path = "/" + path }
    if !scheme.isHTTP, path != "/" {
      throw UsageError("\(text): \(scheme.rawValue) has no path, expected \(scheme.rawValue)://host:port")
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
      guard let port = scheme.defaultPort else {
        throw UsageError("\(text): no port, expected \(scheme.rawValue)://host:port")
      }
      return (String(host), port)
    }
    guard let port = UInt16(digits), port > 0 else {
      throw UsageError("\(text): '\(digits)' is no port, expected 1...65535")
    }
    return (String(host), port)
  }

  /// As the Host field says it.
  public var authority: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return port == scheme.defaultPort ? name : "\(name):\(port)"
  }
}

extension TargetURL {
  func isSameServer(as other: TargetURL) -> Bool {
    scheme == other.scheme && host.lowercased() == other.host.lowercased() && port == other.port
  }

  var text: String {
    "\(scheme.rawValue)://\(authority)\(scheme.isHTTP ? path : "")"
  }
}
