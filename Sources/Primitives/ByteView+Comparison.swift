#if canImport(Glibc)
  import Glibc
#endif

extension ByteView: Equatable {
  @inlinable @inline(__always)
  public static func == (a: ByteView, b: ByteView) -> Bool {
    a.count == b.count && memcmp(a.base, b.base, a.count) == 0
  }

  @inlinable @inline(__always)
  public static func == (a: ByteView, b: StaticString) -> Bool {
    a == ByteView(b)
  }

  /// Whether both are equal when ASCII letters are compared without case.
  @inlinable
  public func equalsIgnoringCase(_ other: ByteView) -> Bool {
    guard count == other.count else { return false }
    var i = 0
    while i < count {
      if ASCII.lowercase(base[i]) != ASCII.lowercase(other.base[i]) { return false }
      i &+= 1
    }
    return true
  }

  @inlinable
  public func equalsIgnoringCase(_ other: StaticString) -> Bool {
    equalsIgnoringCase(ByteView(other))
  }

  @inlinable
  public func hasPrefix(_ other: ByteView) -> Bool {
    count >= other.count && memcmp(base, other.base, other.count) == 0
  }

  @inlinable
  public func hasSuffix(_ other: ByteView) -> Bool {
    count >= other.count && memcmp(base + (count - other.count), other.base, other.count) == 0
  }

  @inlinable
  public func hasPrefixIgnoringCase(_ other: ByteView) -> Bool {
    count >= other.count && prefix(other.count).equalsIgnoringCase(other)
  }

  @inlinable
  public func hasSuffixIgnoringCase(_ other: ByteView) -> Bool {
    count >= other.count && dropFirst(count - other.count).equalsIgnoringCase(other)
  }

  /// The offset of the first `byte`, if any.
  @inlinable
  public func firstIndex(of byte: UInt8) -> Int? {
    guard count > 0, let found = memchr(base, Int32(byte), count) else { return nil }
    return UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }

  /// Whether `needle` occurs anywhere.
  @inlinable
  public func contains(_ needle: ByteView) -> Bool {
    if needle.isEmpty { return true }
    var from = 0
    while count &- from >= needle.count {
      let room = slice(from: from, to: count &- needle.count &+ 1)
      guard let found = room.firstIndex(of: needle.base[0]) else { return false }
      from &+= found
      if memcmp(base + from, needle.base, needle.count) == 0 { return true }
      from &+= 1
    }
    return false
  }

  /// Byte order, shorter first when one is a prefix of the other.
  @inlinable
  public static func < (a: ByteView, b: ByteView) -> Bool {
    let order = memcmp(a.base, b.base, min(a.count, b.count))
    return order != 0 ? order < 0 : a.count < b.count
  }
}

extension ByteView: Hashable, Comparable {
  /// For dictionaries at configuration time; the request path uses ``xxHash64(_:seed:)``.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(bytes: UnsafeRawBufferPointer(buffer))
  }
}
