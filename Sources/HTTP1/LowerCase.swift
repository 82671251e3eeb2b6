/// Turns ASCII letters into lower case in place, eight at a time.
enum LowerCase {
  /// - Parameter count: Bytes, all below 0x80 (a token).
  @inline(__always)
  static func fold(_ base: UnsafeMutablePointer<UInt8>, _ count: Int) {
    let raw = UnsafeMutableRawPointer(base)
    if count >= 8 {
      var at = 0
      while at &+ 8 <= count {
        fold64(raw, at)
        at &+= 8
      }
      // Folding twice does no harm: the last word may overlap.
      fold64(raw, count &- 8)
    } else if count >= 4 {
      fold32(raw, 0)
      fold32(raw, count &- 4)
    } else {
      var i = 0
      while i < count {
        let byte = base[i]
        base[i] = byte &- 65 < 26 ? byte | 32 : byte
        i &+= 1
      }
    }
  }

  @inline(__always)
  private static func fold64(_ raw: UnsafeMutableRawPointer, _ at: Int) {
    let word = raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    // The high bit of a byte is set where it is at least 'A', cleared where it is above 'Z'.
    let upper =
      (word &+ 0x3F3F_3F3F_3F3F_3F3F) & ~(word &+ 0x2525_2525_2525_2525) & 0x8080_8080_8080_8080
    raw.storeBytes(of: word | upper &>> 2, toByteOffset: at, as: UInt64.self)
  }

  @inline(__always)
  private static func fold32(_ raw: UnsafeMutableRawPointer, _ at: Int) {
    let word = raw.loadUnaligned(fromByteOffset: at, as: UInt32.self)
    let upper = (word &+ 0x3F3F_3F3F) & ~(word &+ 0x2525_2525) & 0x8080_8080
    raw.storeBytes(of: word | upper &>> 2, toByteOffset: at, as: UInt32.self)
  }
}
