/// Numbers and words of OpenSSL's reasons, and what BoringSSL calls the same.
enum OpenSSLReason {
  static let sslLibrary: UInt32 = 20
  static let httpRequest: UInt32 = 156
  static let certificateVerifyFailed: UInt32 = 134
  static let peerDidNotReturnACertificate: UInt32 = 199
  static let unsupportedProtocol: UInt32 = 258
  static let wrongVersionNumber: UInt32 = 267

  /// OpenSSL's number to BoringSSL's, where people look for the latter; the others keep OpenSSL's.
  static let boringNumbers: [UInt32: UInt32] = [
    155: 155,  // HTTPS_PROXY_REQUEST
    156: 156,  // HTTP_REQUEST
    134: 125,  // CERTIFICATE_VERIFY_FAILED
    199: 192,  // PEER_DID_NOT_RETURN_A_CERTIFICATE
    258: 240,  // UNSUPPORTED_PROTOCOL
    267: 247,  // WRONG_VERSION_NUMBER
    266: 246,  // WRONG_SSL_VERSION
    193: 184,  // NO_SHARED_CIPHER
    281: 139,  // DECRYPTION_FAILED_OR_BAD_RECORD_MAC
    147: 138,  // DECRYPTION_FAILED
    150: 146,  // ENCRYPTED_LENGTH_TOO_LONG
    146: 136,  // DATA_LENGTH_TOO_LONG
    152: 150,  // EXCESSIVE_MESSAGE_SIZE
    149: 142,  // DIGEST_CHECK_FAILED
    123: 114,  // BAD_SIGNATURE
    159: 162,  // LENGTH_MISMATCH
    244: 223,  // UNEXPECTED_MESSAGE
    245: 225,  // UNEXPECTED_RECORD
    261: 242,  // WRONG_CIPHER_RETURNED
    252: 233,  // UNKNOWN_PROTOCOL
    235: 307,  // NO_APPLICATION_PROTOCOL
    132: 260,  // TOO_MANY_KEY_UPDATES
    376: 253,  // NO_SHARED_SIGNATURE_ALGORITHMS, BoringSSL: NO_COMMON_SIGNATURE_ALGORITHMS
    118: 253,  // NO_SUITABLE_SIGNATURE_ALGORITHM, the same
    410: 266,  // NO_SHARED_GROUPS, BoringSSL: NO_SHARED_GROUP
    101: 266,  // NO_SUITABLE_KEY_SHARE, the same
  ]

  /// "no shared cipher" as NO_SHARED_CIPHER.
  static func boringWord(_ words: String) -> String {
    var word = String(
      decoding: words.utf8.map { byte -> UInt8 in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - 32
        case UInt8(ascii: " "), UInt8(ascii: "-"): UInt8(ascii: "_")
        default: byte
        }
      }, as: UTF8.self)
    // BoringSSL files the alerts of TLS 1.3 under the first version.
    if word.hasPrefix("TLSV13_") { word = "TLSV1_" + word.dropFirst(7) }
    return word
  }
}
