import COpenSSL
import Primitives

/// Kinds of subject alternative names, numbered as in Envoy's `SanType`.
public enum SubjectNameKind: UInt8, Sendable, CaseIterable {
  case email = 1
  case dns = 2
  case uri = 3
  /// As text, `192.0.2.1` or `2001:db8::1`.
  case ip = 4
  case other = 5
}

/// What a certificate says, read once when a configuration is loaded.
public struct CertificateFacts: Sendable, Equatable {
  public enum Key: Sendable, Equatable {
    case rsa(bits: Int)
    /// nil: a curve that TLS 1.3 does not know.
    case ecdsa(CurveSet?, bits: Int)
    case other
  }

  public struct Name: Sendable, Equatable {
    public let kind: SubjectNameKind
    public let text: String
    /// Dotted numbers, for ``SubjectNameKind/other``.
    public let oid: String
  }

  /// RFC 2253, as `CN=edge.example,O=Test\, Inc`.
  public let subject: String
  public let issuer: String
  /// The first common name; empty without one.
  public let commonName: String
  /// Lower hex.
  public let serial: String
  /// Seconds since 1970.
  public let notBefore: Int64
  public let notAfter: Int64
  public let key: Key
  public let names: [Name]
  public let mustStaple: Bool
  public let isAuthority: Bool
  /// SHA-256 of the DER, and of its SubjectPublicKeyInfo.
  public let digest: [UInt8]
  public let keyDigest: [UInt8]

  /// - Throws: ``TLSSetupError`` with OpenSSL's reason when the DER is no certificate.
  public init(_ der: [UInt8]) throws(TLSSetupError) {
    self.init(try Certificate(der))
  }

  init(_ certificate: Certificate) {
    var facts = copenssl_facts()
    // What cannot be understood stays 0: a certificate that expired in 1970.
    _ = copenssl_certificate_facts(certificate.pointer, &facts)
    subject = certificate.text(COPENSSL_SUBJECT)
    issuer = certificate.text(COPENSSL_ISSUER)
    commonName = certificate.text(COPENSSL_COMMON_NAME)
    serial = certificate.text(COPENSSL_SERIAL)
    notBefore = facts.not_before
    notAfter = facts.not_after
    let bits = Int(facts.key_bits)
    switch facts.key_kind {
    case COPENSSL_KEY_RSA: key = .rsa(bits: bits)
    case COPENSSL_KEY_EC: key = .ecdsa(CurveSet(group: facts.curve), bits: bits)
    default: key = .other
    }
    mustStaple = facts.must_staple != 0
    isAuthority = facts.is_authority != 0
    digest = withUnsafeBytes(of: facts.sha256) { Array($0) }
    keyDigest = withUnsafeBytes(of: facts.key_sha256) { Array($0) }
    var names: [Name] = []
    certificate.eachName { names.append(Name(kind: $0, text: $1.string, oid: $2.string)) }
    self.names = names
  }

  /// The names that choose this certificate: DNS names, else the common name; in lower case.
  public var serverNames: [String] {
    let dns = names.filter { $0.kind == .dns }.map { $0.text.lowercased() }
    if !dns.isEmpty { return dns }
    return commonName.isEmpty ? [] : [commonName.lowercased()]
  }

  /// Whether a private key (PKCS#8 DER) belongs to a certificate.
  public static func keyBelongs(_ key: SecretBytes, to der: [UInt8]) throws(TLSSetupError) -> Bool {
    let certificate = try Certificate(der)
    return key.withView { copenssl_certificate_has_key(certificate.pointer, $0.base, $0.count) == 1 }
  }

  /// Whether a certificate may have been issued by the owner of another; signatures are not checked.
  public static func isIssued(_ der: [UInt8], by issuer: [UInt8]) throws(TLSSetupError) -> Bool {
    let (certificate, issuer) = (try Certificate(der), try Certificate(issuer))
    return copenssl_certificate_is_issued_by(certificate.pointer, issuer.pointer) == 1
  }
}

extension CurveSet {
  init?(group: UInt16) {
    switch group {
    case 23: self = .p256
    case 24: self = .p384
    case 25: self = .p521
    default: return nil
    }
  }
}
