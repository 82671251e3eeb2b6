import COpenSSL
import Primitives

/// The ciphers that ``RecordProtection`` knows.
public enum RecordSuite: UInt8, CaseIterable, Sendable {
  case aes128GCM
  case aes256GCM
  case chaCha20Poly1305

  /// Bytes of a traffic secret of TLS 1.3, the size of the suite's hash.
  public var secretCount: Int { self == .aes256GCM ? 48 : 32 }
}

extension RecordProtection {
  public var suite: RecordSuite { RecordSuite(rawValue: keys.suite) ?? .aes128GCM }

  /// TLS 1.3 from the traffic secrets of both directions, each of ``RecordSuite/secretCount`` bytes; nothing has been sent yet.
  public init?(
    _ library: TLSLibrary, suite: RecordSuite, readSecret: ByteView, writeSecret: ByteView
  ) {
    precondition(readSecret.count == suite.secretCount && writeSecret.count == suite.secretCount)
    var keys = copenssl_keys()
    guard
      copenssl_keys_from_secrets(
        library.pointer, Int32(suite.rawValue), readSecret.base, writeSecret.base, &keys) == 1
    else { return nil }
    self.init(keys, library: library.pointer)
    OpenSSLSecret.cleanse(&keys)
  }

  /// TLS 1.2 from the master secret; each side has sent its Finished message, and nothing else.
  ///
  /// - Parameter randoms: The client's 32 bytes, then the server's.
  /// - Parameter nonce: The first explicit nonce that is sealed with, for AES-GCM.
  public init?(
    _ library: TLSLibrary, suite: RecordSuite, isServer: Bool, master: ByteView, randoms: ByteView,
    nonce: UInt64
  ) {
    precondition(randoms.count == 64)
    var keys = copenssl_keys()
    guard
      copenssl_keys_from_master(
        library.pointer, Int32(suite.rawValue), isServer ? 1 : 0, master.base, master.count,
        randoms.base, randoms.base + 32, &keys) == 1
    else { return nil }
    keys.write.nonce = nonce
    self.init(keys, library: library.pointer)
    OpenSSLSecret.cleanse(&keys)
  }
}

/// Values that held secrets.
enum OpenSSLSecret {
  /// Overwrites a value whose copy lives on elsewhere.
  static func cleanse<T: BitwiseCopyable>(_ value: inout T) {
    withUnsafeMutableBytes(of: &value) { copenssl_cleanse($0.baseAddress, $0.count) }
  }
}
