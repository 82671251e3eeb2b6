import COpenSSL
import Primitives

/// A response about a certificate's revocation (RFC 6960), as far as serving it needs.
public struct OCSPResponse: Equatable, Sendable {
  public enum Failure: Error, Equatable, Sendable {
    case unreadable
    /// The responder had no answer.
    case unsuccessful
    /// More than one answer.
    case several
    case otherCertificate(serial: String)
  }

  public enum Status: Sendable { case good, revoked, unknown }

  public let status: Status
  /// Seconds since 1970.
  public let thisUpdate: Int64
  /// When it must be renewed; nil when the responder does not say.
  public let nextUpdate: Int64?

  /// - Parameter der: The response.
  /// - Parameter certificate: DER of the certificate it must be for.
  public init(_ der: [UInt8], for certificate: [UInt8]) throws(Failure) {
    var raw = copenssl_ocsp()
    let read: Certificate
    do throws(TLSSetupError) { read = try Certificate(certificate) } catch { throw .unreadable }
    let outcome = der.withUnsafeBufferPointer { copenssl_ocsp_read($0.baseAddress, $0.count, read.pointer, &raw) }
    switch outcome {
    case COPENSSL_OCSP_FINE: break
    case COPENSSL_OCSP_UNSUCCESSFUL: throw .unsuccessful
    case COPENSSL_OCSP_SEVERAL: throw .several
    case COPENSSL_OCSP_OTHER_CERTIFICATE:
      throw .otherCertificate(
        serial: withUnsafeBytes(of: raw.serial) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    default: throw .unreadable
    }
    status = raw.status == 0 ? .good : raw.status == 1 ? .revoked : .unknown
    thisUpdate = raw.this_update
    nextUpdate = raw.next_update == 0 ? nil : raw.next_update
  }
}
