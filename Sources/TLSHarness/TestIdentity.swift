import CTLSHarness
import TLS

/// A certificate made at run time, with its key. For tests; never part of the proxy.
package final class TestIdentity: @unchecked Sendable {
  // Sendable: only read once it is made; keys are slow, so tests share them.
  package enum KeyKind: Sendable { case p256, p384, rsa2048, rsa1024, secp256k1 }

  package struct Spec: Sendable {
    package var commonName: String?
    package var organization: String?
    /// subjectAltName in the syntax of openssl.cnf, as `DNS:a.example,URI:spiffe://td/x`.
    package var names: String?
    package var key = KeyKind.p256
    package var serial: UInt64 = 0x0a1b
    package var notBefore = TestIdentity.now - 86_400
    package var notAfter = TestIdentity.now + 90 * 86_400
    package var isAuthority = false
    package var mustStaple = false
    /// DER of a key to use instead of a new one.
    package var keyDER: [UInt8] = []

    package init(_ commonName: String? = nil, names: String? = nil, key: KeyKind = .p256, isAuthority: Bool = false) {
      self.commonName = commonName
      self.names = names
      self.key = key
      self.isAuthority = isAuthority
    }
  }

  /// The time of tests, in seconds since 1970. Ordinary clocks are near enough: tickets of the library contain real time.
  package static let now: Int64 = 1_790_000_000

  let pointer: OpaquePointer

  /// Signed by `issuer`, or by itself.
  package init(_ spec: Spec, issuer: TestIdentity? = nil) {
    var raw = ctlsharness_spec()
    raw.key =
      switch spec.key {
      case .p256: CTLSHARNESS_P256
      case .p384: CTLSHARNESS_P384
      case .rsa2048: CTLSHARNESS_RSA_2048
      case .rsa1024: CTLSHARNESS_RSA_1024
      case .secp256k1: CTLSHARNESS_SECP256K1
      }
    raw.serial = spec.serial
    raw.not_before = spec.notBefore
    raw.not_after = spec.notAfter
    raw.is_authority = spec.isAuthority ? 1 : 0
    raw.must_staple = spec.mustStaple ? 1 : 0
    let made = Self.withText(spec.commonName) { name in
      Self.withText(spec.organization) { organization in
        Self.withText(spec.names) { names in
          spec.keyDER.withUnsafeBufferPointer { key in
            raw.common_name = name
            raw.organization = organization
            raw.names = names
            raw.key_der = key.isEmpty ? nil : key.baseAddress
            raw.key_der_count = key.count
            return ctlsharness_make(&raw, issuer?.pointer)
          }
        }
      }
    }
    guard let made else { preconditionFailure("the certificate of a test cannot be made") }
    pointer = made
  }

  deinit { ctlsharness_free(pointer) }

  package var der: [UInt8] { Self.bytes { ctlsharness_certificate(pointer, $0, $1) } }
  package var keyDER: [UInt8] { Self.bytes { ctlsharness_key_der(pointer, $0, $1) } }
  package var pem: [UInt8] { Self.bytes { ctlsharness_certificate_pem(pointer, $0, $1) } }

  package func keyPEM(password: String? = nil) -> [UInt8] {
    Self.withText(password) { password in Self.bytes { ctlsharness_key_pem(pointer, password, $0, $1) } }
  }

  /// A list by this authority, of what it revokes.
  package func crlPEM(revoking revoked: TestIdentity? = nil) -> [UInt8] {
    Self.bytes { ctlsharness_crl_pem(pointer, revoked?.pointer, Self.now, $0, $1) }
  }

  /// A response that says "good".
  package func ocsp(by issuer: TestIdentity, nextUpdate: Int64? = nil) -> [UInt8] {
    Self.bytes { ctlsharness_ocsp(pointer, issuer.pointer, Self.now, nextUpdate ?? 0, $0, $1) }
  }

  /// As a side of a connection presents it.
  package func identity(intermediates: [TestIdentity] = [], staple: [UInt8]? = nil) -> TLSIdentity {
    TLSIdentity(chain: [der] + intermediates.map(\.der), key: SecretBytes(keyDER), staple: staple)
  }

  private static func bytes(_ give: (UnsafeMutablePointer<UInt8>, Int) -> Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 16_384) { room, count in
      count = room.baseAddress.map { give($0, room.count) } ?? 0
      precondition(count <= room.count)
    }
  }

  private static func withText<R>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R {
    guard let text else { return body(nil) }
    return text.withCString(body)
  }
}
