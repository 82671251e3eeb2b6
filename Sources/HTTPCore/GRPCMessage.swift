import Primitives

/// The text of `grpc-message`: any bytes, percent-encoded (grpc.io, "gRPC over HTTP2", Percent-Byte).
public enum GRPCMessage {
  /// Room that ``encode(_:to:)`` may need.
  @inlinable
  public static func sizeMax(_ text: ByteView) -> Int { text.count * 3 }

  /// - Returns: How many bytes were written.
  public static func encode(_ text: ByteView, to target: UnsafeMutablePointer<UInt8>) -> Int {
    var at = 0
    for i in 0..<text.count {
      let byte = text[i]
      if byte >= 0x20, byte <= 0x7E, byte != UInt8(ascii: "%") {
        target[at] = byte
        at += 1
      } else {
        target[at] = UInt8(ascii: "%")
        target[at + 1] = digit(byte >> 4)
        target[at + 2] = digit(byte & 15)
        at += 3
      }
    }
    return at
  }

  /// The encoded text; `text` itself when nothing in it needs encoding.
  public static func encoded(_ text: ByteView, arena: inout Arena) -> ByteView {
    var isPlain = true
    for i in 0..<text.count where text[i] < 0x20 || text[i] > 0x7E || text[i] == UInt8(ascii: "%") {
      isPlain = false
      break
    }
    if isPlain { return text }
    let target = arena.allocate(sizeMax(text))
    return ByteView(target, encode(text, to: target))
  }

  private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 55 + value }
}
