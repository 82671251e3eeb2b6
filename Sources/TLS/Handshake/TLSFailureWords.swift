import COpenSSL
import Primitives

extension Handshake {
  /// Why the handshake, or an attached read or write, failed: in plain words, as part of a sentence for somebody at a
  /// terminal. ``failureText(offered:)`` is for logs.
  public var failureWords: String {
    var error = copenssl_error()
    guard copenssl_handshake_error(pointer, 0, &error) == 1 else { return "no reason given" }
    if error.library == OpenSSLReason.sslLibrary {
      switch error.reason {
      case OpenSSLReason.certificateVerifyFailed: return verdictWords
      case OpenSSLReason.wrongVersionNumber, OpenSSLReason.httpRequest: return "the peer does not speak TLS"
      case OpenSSLReason.unsupportedProtocol: return "no version of TLS that both sides allow"
      case OpenSSLReason.peerDidNotReturnACertificate: return "the client sent no certificate"
      case 1000..<1256: return TLSFailureText.alertWords(TLSAlert(rawValue: UInt8(error.reason - 1000)))
      default: break
      }
    }
    return error.text.map { String(cString: $0) } ?? "error \(error.reason) of OpenSSL"
  }

  private var verdictWords: String {
    let verdict = copenssl_handshake_verdict(pointer).pointee
    switch verdict.kind {
    case VerdictKind.names:
      var count = 0
      let name = copenssl_handshake_expected_name(pointer, &count).map { ByteView($0, count).string } ?? "this name"
      return "the peer's certificate is not for \(name)"
    case VerdictKind.pins: return "the peer's certificate is not one of those expected"
    default: return "the peer's certificate is not trusted (\(String(cString: copenssl_verify_words(verdict.error))))"
    }
  }
}

extension TLSFailureText {
  /// The peer gave up with this alert, in plain words.
  public static func alertWords(_ alert: TLSAlert) -> String {
    // "TLSV1_ALERT_UNKNOWN_CA": the words behind the prefix.
    let name = TLSNames.alert(alert)
    let words = name.firstRange(of: "ALERT_").map { String(name[$0.upperBound...]) } ?? name
    return "the peer refused with the alert '\(words.lowercased().split(separator: "_").joined(separator: " "))'"
  }
}
