import Primitives

/// String contents as JSON (RFC 8259 section 7).
enum JSONText {
  static func write(_ view: ByteView, to sink: inout ByteSink) {
    // The usual value needs no escaping at all.
    var i = 0
    while i < view.count {
      let byte = view.base[i]
      if byte < 0x20 || byte >= 0x7F || byte == 0x22 || byte == 0x5C { break }
      i &+= 1
    }
    if i == view.count {
      sink.write(view)
      return
    }
    sink.write(view.prefix(i))
    let rest = view.dropFirst(i)
    // What is not UTF-8 is shown byte by byte, as if it were Latin-1, so that nothing is lost.
    writeEscaped(rest, isText: isUTF8(rest), to: &sink)
  }

  private static func writeEscaped(_ view: ByteView, isText: Bool, to sink: inout ByteSink) {
    for i in 0..<view.count {
      let byte = view.base[i]
      switch byte {
      case 0x22: sink.write("\\\"")
      case 0x5C: sink.write("\\\\")
      case 0x08: sink.write("\\b")
      case 0x09: sink.write("\\t")
      case 0x0A: sink.write("\\n")
      case 0x0C: sink.write("\\f")
      case 0x0D: sink.write("\\r")
      case 0x20..<0x7F: sink.write(byte)
      case 0x80... where isText: sink.write(byte)
      default:
        sink.write("\\u00")
        sink.write(hex(byte >> 4))
        sink.write(hex(byte & 15))
      }
    }
  }

  private static func hex(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 48 &+ nibble : 87 &+ nibble }

  /// Well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong, nothing above U+10FFFF).
  static func isUTF8(_ view: ByteView) -> Bool {
    var i = 0
    while i < view.count {
      let lead = view.base[i]
      if lead < 0x80 {
        i &+= 1
        continue
      }
      var extra: Int
      var low: UInt8 = 0x80
      var high: UInt8 = 0xBF
      switch lead {
      case 0xC2...0xDF: extra = 1
      case 0xE0:
        extra = 2
        low = 0xA0
      case 0xED:
        extra = 2
        high = 0x9F
      case 0xE1...0xEF: extra = 2
      case 0xF0:
        extra = 3
        low = 0x90
      case 0xF4:
        extra = 3
        high = 0x8F
      case 0xF1...0xF3: extra = 3
      default: return false
      }
      guard view.count &- i > extra else { return false }
      i &+= 1
      while extra > 0 {
        let byte = view.base[i]
        guard byte >= low, byte <= high else { return false }
        low = 0x80
        high = 0xBF
        i &+= 1
        extra &-= 1
      }
    }
    return true
  }
}
