import Primitives

/// Reads the length-prefixed parts that TLS messages are made of; nil when they do not fit.
struct ByteCursor: BitwiseCopyable {
  private(set) var left: ByteView

  @inline(__always)
  init(_ bytes: ByteView) { left = bytes }

  @inline(__always)
  var isAtEnd: Bool { left.count == 0 }

  @inline(__always)
  mutating func uint8() -> Int? {
    guard left.count >= 1 else { return nil }
    let value = Int(left[0])
    left = left.dropFirst(1)
    return value
  }

  @inline(__always)
  mutating func uint16() -> Int? {
    guard left.count >= 2 else { return nil }
    let value = Int(left[0]) << 8 | Int(left[1])
    left = left.dropFirst(2)
    return value
  }

  @inline(__always)
  mutating func take(_ count: Int) -> ByteView? {
    guard left.count >= count else { return nil }
    let taken = left.prefix(count)
    left = left.dropFirst(count)
    return taken
  }

  /// Bytes behind a length of one byte.
  @inline(__always)
  mutating func vector8() -> ByteView? {
    guard let count = uint8() else { return nil }
    return take(count)
  }

  /// Bytes behind a length of two bytes.
  @inline(__always)
  mutating func vector16() -> ByteView? {
    guard let count = uint16() else { return nil }
    return take(count)
  }

  /// All that is left, when it is one vector with a length of two bytes.
  @inline(__always)
  mutating func onlyVector16() -> ByteView? {
    guard let vector = vector16(), isAtEnd else { return nil }
    return vector
  }
}
