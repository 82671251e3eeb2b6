import COpenSSL
import Primitives

/// Reasons of failures in Envoy's shape, `TLS_error:|<number>:SSL routines:OPENSSL_internal:<REASON>[:<detail>]:TLS_error_end`, with
/// BoringSSL's numbers and words, and a sentence of our own as the detail. For logs and answers: once a connection.
public enum TLSFailureText {
  /// Longest text, in bytes.
  public static let bytesMax = 512
  private static let beginning = "TLS_error:"
  private static let end = ":TLS_error_end"
  private static let sslLibrary: UInt32 = 16 << 24

  /// Plain text on a port that speaks TLS.
  public static func plain(_ guess: PlainGuess) -> String {
    switch guess {
    case .http: entry(156, "HTTP_REQUEST", "the client speaks plain HTTP")
    case .httpConnect: entry(155, "HTTPS_PROXY_REQUEST", "the client takes this port for a proxy")
    case .sslv2: entry(240, "UNSUPPORTED_PROTOCOL", "the client speaks SSL 2")
    case .other: entry(247, "WRONG_VERSION_NUMBER", "the client does not speak TLS")
    }
  }

  /// The peer gave up with this alert.
  public static func received(_ alert: TLSAlert) -> String {
    entry(1000 + UInt32(alert.rawValue), TLSNames.alert(alert), nil)
  }

  /// The peer broke a rule of records, after the handshake.
  public static func broken(_ alert: TLSAlert) -> String {
    switch alert {
    case .badRecordMAC: entry(139, "DECRYPTION_FAILED_OR_BAD_RECORD_MAC", nil)
    case .recordOverflow: entry(146, "ENCRYPTED_LENGTH_TOO_LONG", nil)
    case .decodeError, .illegalParameter: entry(137, "DECODE_ERROR", nil)
    case .protocolVersion: entry(247, "WRONG_VERSION_NUMBER", nil)
    default: entry(225, "UNEXPECTED_RECORD", nil)
    }
  }

  /// The socket failed during the handshake.
  ///
  /// - Parameter text: The system's words, as "Connection reset by peer".
  public static func system(errno: Int32, text: String) -> String {
    // BoringSSL packs the system as library 2.
    clipped("\(beginning)|\(2 << 24 | UInt32(bitPattern: errno)):system library:OPENSSL_internal:\(text)\(end)")
  }

  /// A hello that is longer than it may be.
  public static var helloTooLarge: String { entry(150, "EXCESSIVE_MESSAGE_SIZE", "the ClientHello is too large") }

  private static func entry(_ number: UInt32, _ reason: String, _ detail: String?) -> String {
    clipped("\(beginning)|\(sslLibrary | number):SSL routines:OPENSSL_internal:\(reason)\(detail.map { ":" + $0 } ?? "")\(end)")
  }

  /// Never longer than the limit, and never without its end.
  static func clipped(_ text: String) -> String {
    guard text.utf8.count > bytesMax else { return text }
    var kept = Substring(text)
    while kept.utf8.count > bytesMax - end.utf8.count { kept.removeLast() }
    return kept + end
  }

  /// Joins entries of a queue.
  static func queue(_ entries: [(number: UInt32, library: String, reason: String, detail: String)]) -> String {
    guard !entries.isEmpty else { return "" }
    let texts = entries.map {
      "|\($0.number):\($0.library):OPENSSL_internal:\($0.reason)\($0.detail.isEmpty ? "" : ":" + $0.detail)"
    }
    return clipped(beginning + texts.joined() + end)
  }

  /// The number that BoringSSL has for an entry, or OpenSSL's own.
  static func number(_ error: copenssl_error) -> UInt32 {
    guard error.library == OpenSSLReason.sslLibrary else { return error.library << 24 | error.reason & 0xff_ffff }
    // Alerts have the same numbers in both.
    if error.reason >= 1000, error.reason < 1256 { return sslLibrary | error.reason }
    return sslLibrary | (OpenSSLReason.boringNumbers[error.reason] ?? error.reason)
  }
}

extension Handshake {
  /// Why the handshake, or an attached read or write, failed. Empty when it did not.
  ///
  /// - Parameter offered: The latest version that the client's hello offers, for the sentence; 0 when it is not known.
  public func failureText(offered: UInt16 = 0) -> String {
    var entries: [(number: UInt32, library: String, reason: String, detail: String)] = []
    var error = copenssl_error()
    while copenssl_handshake_error(pointer, Int32(entries.count), &error) == 1 {
      let words = error.text.map { String(cString: $0) } ?? "reason(\(error.reason))"
      let library = error.library_text.map { String(cString: $0) } ?? "library \(error.library)"
      entries.append(
        (
          TLSFailureText.number(error), library, OpenSSLReason.boringWord(words),
          detail(error, offered: offered)
        ))
    }
    return TLSFailureText.queue(entries)
  }

  private func detail(_ error: copenssl_error, offered: UInt16) -> String {
    guard error.library == OpenSSLReason.sslLibrary else { return "" }
    switch error.reason {
    case OpenSSLReason.certificateVerifyFailed:
      let why = withUnsafeBytes(of: copenssl_handshake_verdict(pointer).pointee.why) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      return why.isEmpty ? "" : "verify cert failed: \(why)"
    case OpenSSLReason.unsupportedProtocol:
      guard isServer else { return "the host does not speak a version that is allowed" }
      return offered == 0 ? "" : "the client offers at most \(TLSNames.versionWords(offered))"
    case OpenSSLReason.wrongVersionNumber:
      return isServer ? "the client does not speak TLS" : "the host does not speak TLS"
    case OpenSSLReason.httpRequest: return "the client speaks plain HTTP"
    case OpenSSLReason.peerDidNotReturnACertificate: return "the client sent no certificate"
    default: return ""
    }
  }

  private var isServer: Bool { copenssl_handshake_is_server(pointer) == 1 }
}
