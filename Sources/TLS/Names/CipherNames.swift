import Primitives

/// Cipher suites by number, in OpenSSL's words and the registry's.
public enum CipherNames {
  public struct Suite: Sendable {
    public let number: UInt16
    /// OpenSSL's name, which Envoy prints; of TLS 1.3 the registry's.
    public let name: StaticString
    public let registeredName: StaticString
  }

  /// All that the library may agree on. A suite's place is its index in statistics: new ones go to the end.
  public static let all: [Suite] = [
    Suite(number: 0x1301, name: "TLS_AES_128_GCM_SHA256", registeredName: "TLS_AES_128_GCM_SHA256"),
    Suite(number: 0x1302, name: "TLS_AES_256_GCM_SHA384", registeredName: "TLS_AES_256_GCM_SHA384"),
    Suite(number: 0x1303, name: "TLS_CHACHA20_POLY1305_SHA256", registeredName: "TLS_CHACHA20_POLY1305_SHA256"),
    Suite(number: 0xc02b, name: "ECDHE-ECDSA-AES128-GCM-SHA256", registeredName: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    Suite(number: 0xcca9, name: "ECDHE-ECDSA-CHACHA20-POLY1305", registeredName: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    Suite(number: 0xc02f, name: "ECDHE-RSA-AES128-GCM-SHA256", registeredName: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    Suite(number: 0xcca8, name: "ECDHE-RSA-CHACHA20-POLY1305", registeredName: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    Suite(number: 0xc02c, name: "ECDHE-ECDSA-AES256-GCM-SHA384", registeredName: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    Suite(number: 0xc030, name: "ECDHE-RSA-AES256-GCM-SHA384", registeredName: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    Suite(number: 0xc009, name: "ECDHE-ECDSA-AES128-SHA", registeredName: "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    Suite(number: 0xc013, name: "ECDHE-RSA-AES128-SHA", registeredName: "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    Suite(number: 0xc00a, name: "ECDHE-ECDSA-AES256-SHA", registeredName: "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    Suite(number: 0xc014, name: "ECDHE-RSA-AES256-SHA", registeredName: "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    Suite(number: 0xc023, name: "ECDHE-ECDSA-AES128-SHA256", registeredName: "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    Suite(number: 0xc027, name: "ECDHE-RSA-AES128-SHA256", registeredName: "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    Suite(number: 0xc024, name: "ECDHE-ECDSA-AES256-SHA384", registeredName: "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    Suite(number: 0xc028, name: "ECDHE-RSA-AES256-SHA384", registeredName: "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    Suite(number: 0x009c, name: "AES128-GCM-SHA256", registeredName: "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    Suite(number: 0x009d, name: "AES256-GCM-SHA384", registeredName: "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    Suite(number: 0x002f, name: "AES128-SHA", registeredName: "TLS_RSA_WITH_AES_128_CBC_SHA"),
    Suite(number: 0x0035, name: "AES256-SHA", registeredName: "TLS_RSA_WITH_AES_256_CBC_SHA"),
    Suite(number: 0x003c, name: "AES128-SHA256", registeredName: "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    Suite(number: 0x003d, name: "AES256-SHA256", registeredName: "TLS_RSA_WITH_AES_256_CBC_SHA256"),
  ]

  /// The place of a suite in ``all``.
  public static func index(of number: UInt16) -> Int? {
    all.firstIndex { $0.number == number }
  }

  /// OpenSSL's name; empty for a number that is not known.
  public static func name(_ number: UInt16) -> ByteView {
    index(of: number).map { ByteView(all[$0].name) } ?? .empty
  }

  /// The suite with this name, in either form.
  public static func suite(named name: String) -> Suite? {
    all.first { $0.name.description == name || $0.registeredName.description == name }
  }
}
