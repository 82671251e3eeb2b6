/// The twelve bytes that make each record's protection unique, in three words as they lie in memory.
@usableFromInline
struct RecordNonce: BitwiseCopyable {
  var first: UInt32
  var second: UInt32
  var third: UInt32

  /// The IV with the number of the record laid over its last eight bytes (RFC 8446, section 5.3; RFC 7905, section 2).
  @inline(__always)
  init(iv: UnsafePointer<UInt8>, sequence: UInt64) {
    let words = UnsafeRawPointer(iv)
    first = words.loadUnaligned(as: UInt32.self)
    second = words.loadUnaligned(fromByteOffset: 4, as: UInt32.self) ^ UInt32(truncatingIfNeeded: sequence >> 32).bigEndian
    third = words.loadUnaligned(fromByteOffset: 8, as: UInt32.self) ^ UInt32(truncatingIfNeeded: sequence).bigEndian
  }

  /// The salt and eight bytes that travel with the record (RFC 5288, section 3).
  @inline(__always)
  init(salt: UnsafePointer<UInt8>, explicit: UnsafePointer<UInt8>) {
    first = UnsafeRawPointer(salt).loadUnaligned(as: UInt32.self)
    second = UnsafeRawPointer(explicit).loadUnaligned(as: UInt32.self)
    third = UnsafeRawPointer(explicit).loadUnaligned(fromByteOffset: 4, as: UInt32.self)
  }
}

/// What a record of TLS 1.2 authenticates besides its content (RFC 5246, section 6.2.3.3): thirteen bytes.
enum RecordAdditionalData {
  static let count = 13

  @inline(__always)
  static func write(
    sequence: UInt64, type: UInt8, plaintextCount: Int, to: UnsafeMutablePointer<UInt8>
  ) {
    UnsafeMutableRawPointer(to).storeBytes(of: sequence.bigEndian, as: UInt64.self)
    to[8] = type
    to[9] = 3
    to[10] = 3
    to[11] = UInt8(truncatingIfNeeded: plaintextCount >> 8)
    to[12] = UInt8(truncatingIfNeeded: plaintextCount)
  }
}
