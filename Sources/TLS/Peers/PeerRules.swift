import Primitives

/// What a peer's certificate must be, as a validation context says it. Immutable and shared by workers.
public final class PeerRules: Sendable {
  /// Certificates between leaf and root, at most.
  public static let depthMax = 100

  /// nil: chains are not checked.
  public let store: TrustStore?
  public let depthMax: Int
  public let allowsExpired: Bool
  public let checksLeafCRLOnly: Bool
  /// Whether a peer that fails is accepted all the same.
  public let acceptsUntrusted: Bool
  /// Any of these; empty: all names are fine.
  public let matchers: [SubjectNameMatcher]
  /// SHA-256 of certificates, or of keys (SubjectPublicKeyInfo): one of either list, when there is one.
  public let certificateDigests: [[UInt8]]
  public let keyDigests: [[UInt8]]
  /// Servers: whether a client must have a certificate.
  public let requiresCertificate: Bool

  public init(
    store: TrustStore?, depthMax: Int = PeerRules.depthMax, allowsExpired: Bool = false, checksLeafCRLOnly: Bool = false,
    acceptsUntrusted: Bool = false, matchers: [SubjectNameMatcher] = [], certificateDigests: [[UInt8]] = [],
    keyDigests: [[UInt8]] = [], requiresCertificate: Bool = false
  ) {
    self.store = store
    self.depthMax = depthMax
    self.allowsExpired = allowsExpired
    self.checksLeafCRLOnly = checksLeafCRLOnly
    self.acceptsUntrusted = acceptsUntrusted
    self.matchers = matchers
    self.certificateDigests = certificateDigests
    self.keyDigests = keyDigests
    self.requiresCertificate = requiresCertificate
  }
}
