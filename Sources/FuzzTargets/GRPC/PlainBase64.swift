/// Base64 as RFC 4648 section 4 says it, a character at a time: what the codec is compared with.
enum PlainBase64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let padding = UInt8(ascii: "=")

  static func encode(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    var bits = bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
    while bits.count % 6 != 0 { bits.append(0) }
    var text = stride(from: 0, to: bits.count, by: 6).map { at in
      alphabet[bits[at..<at + 6].reduce(0) { $0 << 1 | Int($1) }]
    }
    while text.count % 4 != 0 { text.append(padding) }
    return text
  }

  /// Texts that follow each other, each with its padding; nil when one is none.
  static func decode(_ text: [UInt8]) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    var all: [UInt8] = []
    for at in stride(from: 0, to: text.count, by: 4) {
      var quad = text[at..<at + 4]
      while quad.count > 2, quad.last == padding { quad.removeLast() }
      var bits: [UInt8] = []
      for character in quad {
        guard let value = alphabet.firstIndex(of: character) else { return nil }
        bits += (0..<6).map { UInt8(value >> (5 - $0) & 1) }
      }
      let whole = bits.count / 8 * 8
      guard bits[whole...].allSatisfy({ $0 == 0 }) else { return nil }
      all += stride(from: 0, to: whole, by: 8).map { from in bits[from..<from + 8].reduce(0) { $0 << 1 | $1 } }
    }
    return all
  }

  /// Messages of gRPC, each as a text of its own; what is no whole message in the end is one too.
  static func texts(ofFrames bytes: [UInt8]) -> [UInt8] {
    var rest = bytes[...]
    var text: [UInt8] = []
    while !rest.isEmpty {
      let length = rest.dropFirst().prefix(4).reduce(0) { $0 << 8 | Int($1) }
      let message = rest.prefix(rest.count < 5 ? rest.count : 5 + length)
      text += encode(message)
      rest = rest.dropFirst(message.count)
    }
    return text
  }
}
