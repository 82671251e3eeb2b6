import Primitives

/// The handshake of a WebSocket over HTTP/1 (RFC 6455 section 4), which one over HTTP/2 does without (RFC 8441 section 5):
/// where a tunnel changes the version, the proxy takes the missing part.
enum WebSocketKey {
  private static let suffix: StaticString = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
  private static let keyBytes = 16
  /// Longer ones are no keys: a key is 16 bytes in Base64.
  private static let keyTextMax = 64

  /// A new `Sec-WebSocket-Key`.
  static func make(_ random: inout FastRandom, arena: inout Arena) -> ByteView {
    let raw = arena.allocate(keyBytes)
    for i in 0..<keyBytes { raw[i] = UInt8(truncatingIfNeeded: random.next()) }
    let text = arena.allocate(Base64.encodedCount(keyBytes))
    return ByteView(text, Base64.encode(ByteView(raw, keyBytes), to: text))
  }

  /// The `Sec-WebSocket-Accept` that answers a key; nil when it is no key.
  static func accept(_ key: ByteView, arena: inout Arena) -> ByteView? {
    guard !key.isEmpty, key.count <= keyTextMax else { return nil }
    let suffix = ByteView(suffix)
    let text = arena.allocate(key.count + suffix.count)
    text.update(from: key.base, count: key.count)
    (text + key.count).update(from: suffix.base, count: suffix.count)
    let hash = arena.allocate(SHA1.byteCount)
    SHA1.hash(ByteView(text, key.count + suffix.count), to: hash)
    let accept = arena.allocate(Base64.encodedCount(SHA1.byteCount))
    return ByteView(accept, Base64.encode(ByteView(hash, SHA1.byteCount), to: accept))
  }
}
