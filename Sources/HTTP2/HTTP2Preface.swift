import Primitives

/// The bytes with which a client's connection begins (RFC 9113 section 3.4).
public enum HTTP2Preface {
  public enum Match: Sendable {
    /// Not HTTP/2.
    case no
    /// All that is there fits; more is needed.
    case partial
    case yes
  }

  public static var bytes: ByteView { ByteView("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") }

  /// - Parameter view: From the connection's first byte; may hold more than the preface.
  public static func match(_ view: ByteView) -> Match {
    let count = min(view.count, bytes.count)
    guard view.prefix(count) == bytes.prefix(count) else { return .no }
    return count == bytes.count ? .yes : .partial
  }
}
