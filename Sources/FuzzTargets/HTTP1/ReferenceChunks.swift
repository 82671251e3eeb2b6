import Primitives

/// The chunked coding read in the plainest way (RFC 9112 section 7.1), without limits and without
/// looking at extensions: what an accepted message must agree with.
struct ReferenceChunks {
  var content: [UInt8] = []
  /// Bytes of the whole message.
  var length = 0

  /// Nil when the bytes are no complete chunked message.
  init?(_ bytes: [UInt8]) {
    while true {
      guard let line = Self.line(bytes, from: length) else { return nil }
      let digits = line.prefix { ASCII.hexValue($0) != nil }
      guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16) else { return nil }
      length += line.count + 2
      if size == 0 { break }
      guard size <= bytes.count - length - 2 else { return nil }
      content += bytes[length..<(length + size)]
      length += size
      guard bytes[length] == 13, bytes[length + 1] == 10 else { return nil }
      length += 2
    }
    while true {
      guard let line = Self.line(bytes, from: length) else { return nil }
      length += line.count + 2
      if line.isEmpty { return }
    }
  }

  /// The line at `from` without its CRLF.
  private static func line(_ bytes: [UInt8], from: Int) -> ArraySlice<UInt8>? {
    var at = from
    while at + 1 < bytes.count {
      if bytes[at] == 13, bytes[at + 1] == 10 { return bytes[from..<at] }
      at += 1
    }
    return nil
  }
}
