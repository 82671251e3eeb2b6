import COpenSSL
import Primitives

/// Takes certificates, revocation lists and keys out of PEM texts. Only for configurations.
public enum PEMReader {
  /// Why nothing came of a text; the owner adds where the text is from.
  public enum Failure: Error, Equatable, Sendable {
    /// No block of the kind that is wanted; what the text begins with.
    case nothing(begins: String)
    /// Block `number` (from 1) is broken.
    case broken(number: Int)
    case encrypted
    case wrongPassword
    case unreadableKey
  }

  /// DER of all certificates, in order.
  public static func certificates(_ text: [UInt8]) throws(Failure) -> [[UInt8]] {
    try blocks(text, named: ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"])
  }

  /// DER of all certificate revocation lists; none is fine.
  public static func revocationLists(_ text: [UInt8]) throws(Failure) -> [[UInt8]] {
    try blocks(text, named: ["X509 CRL"])
  }

  /// The first private key as PKCS#8 DER.
  ///
  /// - Parameter password: For a key that is encrypted.
  public static func privateKey(_ text: [UInt8], password: SecretBytes?) throws(Failure) -> SecretBytes {
    var bytes: UnsafeMutablePointer<UInt8>?
    var count = 0
    let outcome = text.withUnsafeBufferPointer { text in
      guard let password else { return copenssl_key_read(text.baseAddress, text.count, nil, 0, &bytes, &count) }
      return password.withView {
        copenssl_key_read(text.baseAddress, text.count, $0.base, $0.count, &bytes, &count)
      }
    }
    guard outcome == COPENSSL_KEY_FINE, let bytes else {
      switch outcome {
      case COPENSSL_KEY_MISSING: throw .nothing(begins: beginning(text))
      case COPENSSL_KEY_ENCRYPTED: throw .encrypted
      case COPENSSL_KEY_WRONG_PASSWORD: throw .wrongPassword
      default: throw .unreadableKey
      }
    }
    defer { copenssl_secret_free(bytes, count) }
    return SecretBytes(UnsafeBufferPointer(start: bytes, count: count))
  }

  private final class Blocks {
    let names: [String]
    var found: [[UInt8]] = []
    init(_ names: [String]) { self.names = names }
  }

  private static func blocks(_ text: [UInt8], named names: [String]) throws(Failure) -> [[UInt8]] {
    let blocks = Blocks(names)
    let outcome = text.withUnsafeBufferPointer {
      copenssl_pem_each($0.baseAddress, $0.count, Unmanaged.passUnretained(blocks).toOpaque()) { argument, name, der, count in
        guard let argument, let name, let der else { return }
        let blocks = Unmanaged<Blocks>.fromOpaque(argument).takeUnretainedValue()
        if blocks.names.contains(String(cString: name)) {
          blocks.found.append(Array(UnsafeBufferPointer(start: der, count: count)))
        }
      }
    }
    guard outcome >= 0 else { throw .broken(number: Int(-outcome)) }
    guard !blocks.found.isEmpty else { throw .nothing(begins: beginning(text)) }
    return blocks.found
  }

  /// The first line, cut and with nothing in it that a terminal would obey.
  static func beginning(_ text: [UInt8]) -> String {
    let line = text.prefix(40).prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
    return String(decoding: line.map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
  }
}
