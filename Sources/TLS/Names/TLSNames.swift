import Primitives

/// Words for what is agreed on, as Envoy's statistics and logs have them.
public enum TLSNames {
  public static let groups: [(number: UInt16, name: StaticString)] = [
    (29, "X25519"), (23, "P-256"), (24, "P-384"), (25, "P-521"), (30, "X448"),
  ]

  public static let signatures: [(number: UInt16, name: StaticString)] = [
    (0x0403, "ecdsa_secp256r1_sha256"), (0x0503, "ecdsa_secp384r1_sha384"), (0x0603, "ecdsa_secp521r1_sha512"),
    (0x0804, "rsa_pss_rsae_sha256"), (0x0805, "rsa_pss_rsae_sha384"), (0x0806, "rsa_pss_rsae_sha512"),
    (0x0401, "rsa_pkcs1_sha256"), (0x0501, "rsa_pkcs1_sha384"), (0x0601, "rsa_pkcs1_sha512"),
    (0x0807, "ed25519"), (0x0808, "ed448"),
  ]

  public static let versions: [(number: UInt16, name: StaticString)] = [(0x0304, "TLSv1.3"), (0x0303, "TLSv1.2")]

  public static func group(_ number: UInt16) -> ByteView { name(number, groups) }
  public static func signature(_ number: UInt16) -> ByteView { name(number, signatures) }
  public static func version(_ number: UInt16) -> ByteView { name(number, versions) }

  private static func name(_ number: UInt16, _ table: [(number: UInt16, name: StaticString)]) -> ByteView {
    table.first { $0.number == number }.map { ByteView($0.name) } ?? .empty
  }

  /// A version for people.
  static func versionWords(_ version: UInt16) -> String {
    switch version {
    case 0x0300: "SSL 3"
    case 0x0301: "TLS 1.0"
    case 0x0302: "TLS 1.1"
    case 0x0303: "TLS 1.2"
    case 0x0304: "TLS 1.3"
    default: "version \(version >> 8).\(version & 255)"
    }
  }

  /// The reason that BoringSSL has for an alert.
  static func alert(_ alert: TLSAlert) -> String {
    alerts[alert.rawValue] ?? "TLSV1_ALERT_\(alert.rawValue)"
  }

  private static let alerts: [UInt8: String] = [
    0: "SSLV3_ALERT_CLOSE_NOTIFY", 10: "SSLV3_ALERT_UNEXPECTED_MESSAGE", 20: "SSLV3_ALERT_BAD_RECORD_MAC",
    21: "TLSV1_ALERT_DECRYPTION_FAILED", 22: "TLSV1_ALERT_RECORD_OVERFLOW", 30: "SSLV3_ALERT_DECOMPRESSION_FAILURE",
    40: "SSLV3_ALERT_HANDSHAKE_FAILURE", 41: "SSLV3_ALERT_NO_CERTIFICATE", 42: "SSLV3_ALERT_BAD_CERTIFICATE",
    43: "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", 44: "SSLV3_ALERT_CERTIFICATE_REVOKED",
    45: "SSLV3_ALERT_CERTIFICATE_EXPIRED", 46: "SSLV3_ALERT_CERTIFICATE_UNKNOWN", 47: "SSLV3_ALERT_ILLEGAL_PARAMETER",
    48: "TLSV1_ALERT_UNKNOWN_CA", 49: "TLSV1_ALERT_ACCESS_DENIED", 50: "TLSV1_ALERT_DECODE_ERROR",
    51: "TLSV1_ALERT_DECRYPT_ERROR", 60: "TLSV1_ALERT_EXPORT_RESTRICTION", 70: "TLSV1_ALERT_PROTOCOL_VERSION",
    71: "TLSV1_ALERT_INSUFFICIENT_SECURITY", 80: "TLSV1_ALERT_INTERNAL_ERROR", 86: "TLSV1_ALERT_INAPPROPRIATE_FALLBACK",
    90: "TLSV1_ALERT_USER_CANCELLED", 100: "TLSV1_ALERT_NO_RENEGOTIATION", 110: "TLSV1_ALERT_UNSUPPORTED_EXTENSION",
    111: "TLSV1_ALERT_CERTIFICATE_UNOBTAINABLE", 112: "TLSV1_ALERT_UNRECOGNIZED_NAME",
    113: "TLSV1_ALERT_BAD_CERTIFICATE_STATUS_RESPONSE", 114: "TLSV1_ALERT_BAD_CERTIFICATE_HASH_VALUE",
    115: "TLSV1_ALERT_UNKNOWN_PSK_IDENTITY", 116: "TLSV1_ALERT_CERTIFICATE_REQUIRED",
    120: "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
  ]
}
