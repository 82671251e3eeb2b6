/// A frame (RFC 9113 section 4.1).
struct HTTP2Frame {
  enum Kind: UInt8 {
    case data, headers, priority, reset, settings, pushPromise, ping, goAway, windowUpdate, continuation
  }

  static let endStream: UInt8 = 1
  static let acknowledges: UInt8 = 1
  static let endHeaders: UInt8 = 4
  static let padded: UInt8 = 8
  static let hasPriority: UInt8 = 32

  let kind: Kind?
  let flags: UInt8
  let stream: UInt32
  let payload: ArraySlice<UInt8>

  func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

  /// Four bytes of the payload.
  func word(_ at: Int) -> UInt32 {
    payload.dropFirst(at).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// What is left of DATA and HEADERS without padding and priority; nil when the padding is too long.
  var content: ArraySlice<UInt8>? {
    var content = payload
    if has(Self.padded) {
      guard let count = content.popFirst(), count <= content.count else { return nil }
      content.removeLast(Int(count))
    }
    if kind == .headers, has(Self.hasPriority) {
      guard content.count >= 5 else { return nil }
      content.removeFirst(5)
    }
    return content
  }
}

/// Cuts a connection's bytes into frames.
struct HTTP2FrameCutter {
  private var buffer: [UInt8] = []
  private var at = 0

  var isEmpty: Bool { at == buffer.count }

  mutating func feed(_ bytes: some Collection<UInt8>) {
    buffer.removeFirst(at)
    at = 0
    buffer.append(contentsOf: bytes)
  }

  /// The next whole frame.
  mutating func next() -> HTTP2Frame? {
    let rest = buffer[at...]
    guard rest.count >= 9 else { return nil }
    let length = Int(rest[at]) << 16 | Int(rest[at + 1]) << 8 | Int(rest[at + 2])
    guard rest.count >= 9 + length else { return nil }
    let stream = rest[(at + 5)..<(at + 9)].reduce(0) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
    let frame = HTTP2Frame(
      kind: HTTP2Frame.Kind(rawValue: rest[at + 3]), flags: rest[at + 4], stream: stream,
      payload: rest[(at + 9)..<(at + 9 + length)])
    at += 9 + length
    return frame
  }
}
