import COpenSSL
import Primitives

/// Certificates that chains must lead to, and revocation lists. Made once (20 ms for a system's roots), then shared by all
/// threads, read only; not released on a worker.
public final class TrustStore: @unchecked Sendable {
  // Sendable: the library locks what readers share.
  let pointer: OpaquePointer
  /// Certificates and lists.
  public let count: Int
  public let hasRevocationLists: Bool
  /// Of the first certificate.
  public let first: CertificateFacts?

  /// - Parameter certificates: DER.
  /// - Throws: ``TLSSetupError`` as "certificate 3 cannot be read (wrong tag)", counted from 1.
  public init(certificates: [[UInt8]], revocationLists: [[UInt8]] = []) throws(TLSSetupError) {
    guard let pointer = copenssl_store_new() else { throw TLSSetupError("memory is short") }
    self.pointer = pointer
    first = certificates.first.flatMap { try? CertificateFacts($0) }
    hasRevocationLists = !revocationLists.isEmpty
    var wrong: String?
    for (kind, list) in [certificates, revocationLists].enumerated() {
      for (i, der) in list.enumerated() where wrong == nil {
        var reason = [UInt8](repeating: 0, count: 160)
        let added = der.withUnsafeBufferPointer { der in
          reason.withUnsafeMutableBytes {
            copenssl_store_add(
              pointer, Int32(kind), der.baseAddress, der.count, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
          }
        }
        if added != 1 {
          wrong = "\(kind == 0 ? "certificate" : "revocation list") \(i + 1) cannot be read (\(String(decoding: reason.prefix { $0 != 0 }, as: UTF8.self)))"
        }
      }
    }
    count = Int(copenssl_store_count(pointer))
    if let wrong { throw TLSSetupError(wrong) }
  }

  deinit { copenssl_store_free(pointer) }
}
