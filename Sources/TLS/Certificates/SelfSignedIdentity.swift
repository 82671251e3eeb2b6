import COpenSSL

extension TLSIdentity {
  /// A new P-256 key with a certificate that it signs itself: for servers that nobody needs to trust.
  ///
  /// - Parameter names: subjectAltName in the syntax of openssl.cnf, as `DNS:localhost,IP:127.0.0.1`.
  /// - Parameter validFrom: Seconds since 1970, as `validUntil`.
  public static func selfSigned(
    commonName: String, names: String, validFrom: Int64, validUntil: Int64
  ) throws(TLSSetupError) -> TLSIdentity {
    var certificate: UnsafeMutablePointer<UInt8>?
    var key: UnsafeMutablePointer<UInt8>?
    var certificateCount = 0
    var keyCount = 0
    let made = copenssl_self_signed(
      commonName, names, validFrom, validUntil, &certificate, &certificateCount, &key, &keyCount)
    defer {
      if let certificate { copenssl_secret_free(certificate, certificateCount) }
      if let key { copenssl_secret_free(key, keyCount) }
    }
    guard made == 1 else { throw TLSSetupError("a certificate cannot be made") }
    return TLSIdentity(
      chain: [Array(UnsafeBufferPointer(start: certificate, count: certificateCount))],
      key: SecretBytes(UnsafeBufferPointer(start: key, count: keyCount)))
  }
}
