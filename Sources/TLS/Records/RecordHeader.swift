import Primitives

/// The first five bytes of a record (RFC 8446, section 5.1).
public struct RecordHeader: Equatable, BitwiseCopyable, Sendable {
  /// Bytes of a header.
  public static let count = 5
  /// Most plaintext that one record carries, in bytes.
  public static let plaintextBytesMax = 16_384

  public static let changeCipherSpec: UInt8 = 20
  public static let alert: UInt8 = 21
  public static let handshake: UInt8 = 22
  public static let applicationData: UInt8 = 23

  /// The outer content type.
  public let type: UInt8
  /// Bytes that follow the header.
  public let bodyCount: Int

  /// Reads the header of a protected record.
  ///
  /// - Parameter five: At least five bytes.
  /// - Throws: The alert that the peer must get: a type that cannot be here, or a body longer than the version allows
  ///   (RFC 8446, section 5.2: 256 bytes of expansion; TLS 1.2's AEAD suites need 24, the standard allows 2,048).
  @inlinable
  public static func parse(_ five: ByteView, isTLS13: Bool) throws(TLSAlert) -> RecordHeader {
    let type = five[0]
    let bodyCount = Int(five[3]) << 8 | Int(five[4])
    // TLS 1.3 hides the type; its version is authenticated as what it must be.
    if isTLS13 {
      guard type == applicationData else { throw .unexpectedMessage }
      guard bodyCount <= plaintextBytesMax + 256 else { throw .recordOverflow }
    } else {
      guard type >= alert, type <= applicationData else { throw .unexpectedMessage }
      guard five[1] == 3, five[2] == 3 else { throw .protocolVersion }
      guard bodyCount <= plaintextBytesMax + 24 else { throw .recordOverflow }
    }
    return RecordHeader(type: type, bodyCount: bodyCount)
  }

  @inlinable
  init(type: UInt8, bodyCount: Int) {
    self.type = type
    self.bodyCount = bodyCount
  }
}
