/// What the element of `x-forwarded-client-cert` tells of a client's certificate (`set_current_client_cert_details`).
public struct ForwardedCertificate: OptionSet, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// There is an element, with `By` and `Hash`.
  public static let element = ForwardedCertificate(rawValue: 1 << 0)
  public static let certificate = ForwardedCertificate(rawValue: 1 << 1)
  public static let chain = ForwardedCertificate(rawValue: 1 << 2)
  public static let subject = ForwardedCertificate(rawValue: 1 << 3)
  public static let uriNames = ForwardedCertificate(rawValue: 1 << 4)
  public static let dnsNames = ForwardedCertificate(rawValue: 1 << 5)
}

/// What happens to the `x-forwarded-client-cert` of a request (`forward_client_cert_details`).
public enum CertificateForwarding: UInt8, Sendable {
  case sanitize
  /// Kept when the client has a certificate.
  case forwardOnly
  case appendForward
  case sanitizeSet
  case alwaysForwardOnly
}
