import Primitives

/// The request that is asked about.
public struct ExplainedRequest {
  public var method = "GET"
  /// Of the URL, in lower case.
  public var scheme = "http"
  /// With its port where the URL has one, as `Host` says it.
  public var authority = ""
  /// Nil: the scheme's.
  public var port: UInt16?
  /// Path and query.
  public var target = "/"
  public var headers: [(name: String, value: String)] = []
  /// Where the client is.
  public var source = IPAddress(v4: 0x7F00_0001)
  /// What the client names in its TLS handshake; nil: the URL's host.
  public var serverName: String?
  /// Nil: by port.
  public var listener: String?
  /// What decides between weighted clusters and for fractions: a number that the proxy draws by itself.
  public var random: UInt64 = 0

  /// Host without port and brackets.
  var host: String {
    var host = Substring(authority)
    if host.hasPrefix("["), let end = host.firstIndex(of: "]") { return String(host[host.index(after: host.startIndex)..<end]) }
    if let colon = host.lastIndex(of: ":") { host = host[..<colon] }
    return String(host)
  }

  var isTLS: Bool { scheme == "https" }
  var effectivePort: UInt16 { port ?? (isTLS ? 443 : 80) }

  /// As text: `GET http://shop.example/cart`.
  var line: String { "\(method) \(scheme)://\(authority)\(target)" }

  /// - Throws: A sentence about what is wrong.
  public init(method: String, url: String) throws(ExplainError) {
    guard !method.isEmpty, method.utf8.allSatisfy(Self.isTokenByte) else {
      throw ExplainError("\"\(method)\" is not a method")
    }
    self.method = method
    guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else {
      throw ExplainError("\"\(url)\" is not a URL: expected http://HOST[:PORT]/PATH or https://...")
    }
    scheme = url[..<colon].lowercased()
    guard scheme == "http" || scheme == "https" else {
      throw ExplainError("\"\(scheme)\" is not a scheme that can be explained: http and https are")
    }
    let rest = url[colon...].dropFirst(3).prefix { $0 != "#" }
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    authority = String(rest[..<end])
    target = String(rest[end...])
    if !target.hasPrefix("/") { target = "/" + target }
    guard target.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
      throw ExplainError("the URL's path has spaces or control characters: write them as %20")
    }
    guard !authority.isEmpty, !authority.contains("@"), authority.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
      throw ExplainError("\"\(url)\" has no host")
    }
    let behindBrackets = authority.lastIndex(of: "]").map { authority[authority.index(after: $0)...] } ?? Substring(authority)
    guard let colon = behindBrackets.lastIndex(of: ":") else { return }
    let digits = behindBrackets[behindBrackets.index(after: colon)...]
    guard let port = UInt16(digits) else { throw ExplainError("\"\(digits)\" is not a port") }
    self.port = port
  }

  /// Adds `NAME: VALUE`.
  public mutating func addHeader(_ text: String) throws(ExplainError) {
    guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
      throw ExplainError("\"\(text)\" is not a header: expected NAME: VALUE")
    }
    let name = text[..<colon].lowercased()
    let value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
    guard name.utf8.allSatisfy(Self.isTokenByte) else { throw ExplainError("\"\(name)\" is not a header's name") }
    guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 9 }) else {
      throw ExplainError("the value of \(name) has control characters")
    }
    if name == "host" { authority = String(value) } else { headers.append((name, String(value))) }
  }

  public mutating func setSource(_ text: String) throws(ExplainError) {
    guard let address = IPAddress(text) else { throw ExplainError("\"\(text)\" is not an IP address") }
    source = address
  }

  /// RFC 9110 section 5.6.2.
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }
}

/// Why something cannot be explained, in one line.
public struct ExplainError: Error, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}
