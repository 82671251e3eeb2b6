import Primitives

/// Methods that change how a message is framed; all others are alike to the codecs.
public enum RequestMethod: UInt8, Sendable {
  case other, get, head, connect, options

  /// - Parameter name: Compared with its case (RFC 9110 section 9.1).
  @inlinable @inline(__always)
  public init(_ name: ByteView) {
    let raw = UnsafeRawPointer(name.base)
    switch name.count {
    case 3:
      let isGet = raw.loadUnaligned(as: UInt16.self) == 0x4547 && name.base[2] == 84  // "GE", "T"
      self = isGet ? .get : .other
    case 4: self = raw.loadUnaligned(as: UInt32.self) == 0x4441_4548 ? .head : .other  // "HEAD"
    case 7: self = name == "CONNECT" ? .connect : name == "OPTIONS" ? .options : .other
    default: self = .other
    }
  }
}
