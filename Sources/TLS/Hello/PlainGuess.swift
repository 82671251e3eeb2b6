import Primitives

/// What the first bytes of something that is not TLS look like; it words the reason of the failure.
public enum PlainGuess: Equatable, Sendable {
  /// A request of HTTP, or the preface of HTTP/2.
  case http
  /// A request for a tunnel: the client takes the port for a proxy.
  case httpConnect
  /// The hello of SSL 2.
  case sslv2
  case other

  /// - Parameter bytes: What has come; one byte may be all.
  public init(_ bytes: ByteView) {
    func begins(_ word: StaticString) -> Bool {
      let word = ByteView(word)
      let count = min(word.count, bytes.count)
      return bytes.prefix(count) == word.prefix(count)
    }
    if bytes.count >= 3, bytes[0] & 0x80 != 0, bytes[2] == 1 {
      self = .sslv2
    } else if begins("CONNECT ") {
      self = .httpConnect
    } else if begins("GET ") || begins("POST ") || begins("PUT ") || begins("HEAD ") || begins("DELETE ")
      || begins("OPTIONS ") || begins("PATCH ") || begins("TRACE ") || begins("PRI * HTTP")
    {
      self = .http
    } else {
      self = .other
    }
  }
}
