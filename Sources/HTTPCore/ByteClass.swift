/// A set of bytes at which a scan stops, tested on sixteen bytes at once.
///
/// Zero is in every set: a block padded with zeros stops at its end.
public protocol ByteClass {
  static func stops(_ block: SIMD16<UInt8>) -> SIMDMask<SIMD16<Int8>>
}

/// Stops at what is not a letter, digit or `-`: other token characters are left to a slow path.
public enum NameByte: ByteClass {
  @inlinable @inline(__always)
  public static func stops(_ block: SIMD16<UInt8>) -> SIMDMask<SIMD16<Int8>> {
    .!(ByteBlock.isAlphanumeric(block) .| (block .== ByteBlock.all(45)))
  }
}

/// Stops at what is not a letter, digit, `-` or `.`.
public enum HostByte: ByteClass {
  @inlinable @inline(__always)
  public static func stops(_ block: SIMD16<UInt8>) -> SIMDMask<SIMD16<Int8>> {
    .!(ByteBlock.isAlphanumeric(block) .| (block .== ByteBlock.all(45)) .| (block .== ByteBlock.all(46)))
  }
}

/// Stops at control characters, tab included: what ends a value or has no place in it.
public enum ValueByte: ByteClass {
  @inlinable @inline(__always)
  public static func stops(_ block: SIMD16<UInt8>) -> SIMDMask<SIMD16<Int8>> {
    (block .< ByteBlock.all(32)) .| (block .== ByteBlock.all(127))
  }
}

/// Stops at what is not visible ASCII, and at `#`.
public enum TargetByte: ByteClass {
  @inlinable @inline(__always)
  public static func stops(_ block: SIMD16<UInt8>) -> SIMDMask<SIMD16<Int8>> {
    // One comparison for "below 33" and "above 126".
    ((block &- ByteBlock.all(33)) .> ByteBlock.all(126 - 33)) .| (block .== ByteBlock.all(35))
  }
}

/// What the classes are made of.
@usableFromInline enum ByteBlock {
  @inlinable @inline(__always)
  static func isAlphanumeric(_ block: SIMD16<UInt8>) -> SIMDMask<SIMD16<Int8>> {
    (((block | all(32)) &- all(97)) .< all(26)) .| ((block &- all(48)) .< all(10))
  }

  /// Spelled out because operators between a vector and a scalar are not vectorised.
  @inlinable @inline(__always)
  static func all(_ byte: UInt8) -> SIMD16<UInt8> { SIMD16(repeating: byte) }
}

extension ByteClass {
  /// The first offset in `at..<end` where the class stops; `end` when none does.
  ///
  /// - Parameter base: Readable from 0 to `end`; nothing beyond is touched.
  @inlinable @inline(__always)
  public static func scan(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
    let raw = UnsafeRawPointer(base)
    var at = start
    while at &+ 16 <= end {
      let block = raw.loadUnaligned(fromByteOffset: at, as: SIMD16<UInt8>.self)
      let found = unsafeBitCast(stops(block), to: SIMD2<UInt64>.self)
      if found[0] != 0 { return at &+ (found[0].trailingZeroBitCount &>> 3) }
      if found[1] != 0 { return at &+ 8 &+ (found[1].trailingZeroBitCount &>> 3) }
      at &+= 16
    }
    if at >= end { return end }
    // The padding stops the scan, so one of the two words is not zero.
    let found = unsafeBitCast(stops(zeroPadded(raw, at, end)), to: SIMD2<UInt64>.self)
    if found[0] != 0 { return at &+ (found[0].trailingZeroBitCount &>> 3) }
    return at &+ 8 &+ (found[1].trailingZeroBitCount &>> 3)
  }

  /// Bytes `at..<end` (1 to 15 of them) and zeros.
  @inlinable @inline(__always)
  static func zeroPadded(_ raw: UnsafeRawPointer, _ at: Int, _ end: Int) -> SIMD16<UInt8> {
    let count = end &- at
    var words: SIMD2<UInt64>
    if end >= 8 {
      // The last eight bytes hold what is left over; what was already seen is shifted out.
      let last = raw.loadUnaligned(fromByteOffset: end &- 8, as: UInt64.self)
      if count > 8 {
        words = SIMD2(
          raw.loadUnaligned(fromByteOffset: at, as: UInt64.self),
          last &>> (UInt64(truncatingIfNeeded: 16 &- count) &* 8))
      } else {
        words = SIMD2(last &>> (UInt64(truncatingIfNeeded: 8 &- count) &* 8), 0)
      }
    } else {
      var word: UInt64 = 0
      var i = end
      while i > at {
        i &-= 1
        word = word &<< 8 | UInt64(raw.load(fromByteOffset: i, as: UInt8.self))
      }
      words = SIMD2(word, 0)
    }
    #if _endian(big)
      #error("blocks are read as little endian")
    #endif
    return unsafeBitCast(words, to: SIMD16<UInt8>.self)
  }
}
