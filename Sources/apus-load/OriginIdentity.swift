import Glibc
import LoadBase
import Primitives
import TLS

/// The certificate that an origin shows: from files, or made now.
enum OriginIdentity {
  private static let validDays: Int64 = 30

  /// nil: no TLS.
  static func read(_ flags: OriginFlags, address: SocketAddress) throws -> TLSIdentity? {
    switch (flags.tlsCert, flags.tlsKey) {
    case (nil, nil): return flags.tls ? try make(for: address) : nil
    case (let cert?, let key?):
      return try CertificateFiles.identity(
        chain: try Files.read(cert, option: "--tls-cert"), chainPlace: "--tls-cert \(cert)",
        key: try Files.read(key, option: "--tls-key"), keyPlace: "--tls-key \(key)")
    case (nil, .some): throw UsageError("--tls-key needs --tls-cert FILE: the certificate that the key is of")
    case (.some, nil): throw UsageError("--tls-cert needs --tls-key FILE: the key of the certificate")
    }
  }

  private static func make(for address: SocketAddress) throws -> TLSIdentity {
    var names = "DNS:localhost,IP:127.0.0.1,IP:::1"
    if let ip = address.ip { names += ",IP:\(ip)" }
    let now = Int64(time(nil))
    do throws(TLSSetupError) {
      return try TLSIdentity.selfSigned(
        commonName: "apus-load", names: names, validFrom: now - 86_400, validUntil: now + validDays * 86_400)
    } catch {
      throw RunFailure("\(error)")
    }
  }
}
