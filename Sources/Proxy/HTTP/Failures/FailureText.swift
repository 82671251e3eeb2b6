import Primitives

/// A sentence about a failure, put together in memory of its own: for logs and headers, so everything in it is one
/// line of visible text. What does not fit is left out.
struct FailureText {
  static let bytesMax = 512

  private let base: UnsafeMutablePointer<UInt8>
  private(set) var count = 0

  /// - Parameter memory: Of ``bytesMax`` bytes.
  init(_ memory: UnsafeMutablePointer<UInt8>) { base = memory }

  var view: ByteView { ByteView(base, count) }

  mutating func put(_ text: StaticString) { put(ByteView(text)) }

  mutating func put(_ bytes: ByteView) {
    let taken = min(bytes.count, Self.bytesMax - count)
    for i in 0..<taken {
      let byte = bytes[i]
      base[count + i] = byte < 32 || byte == 127 ? UInt8(ascii: "?") : byte
    }
    count += taken
  }

  mutating func put(_ number: UInt64) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      guard let room = digits.baseAddress else { return }
      put(ByteView(room, Decimal.write(number, to: room)))
    }
  }

  /// What the system says: its texts are one word in details.
  mutating func put(words: ByteView) {
    for i in 0..<min(words.count, Self.bytesMax - count) {
      let byte = words[i] == UInt8(ascii: "_") ? UInt8(ascii: " ") : words[i]
      base[count + i] = i == 0 ? ASCII.lowercase(byte) : byte
    }
    count += min(words.count, Self.bytesMax - count)
  }

  /// A time that has passed: `under 1 ms`, `240 ms`, `12.3 s`.
  mutating func put(spent nanoseconds: UInt64) {
    let milliseconds = nanoseconds / 1_000_000
    if milliseconds == 0 {
      put("under 1 ms")
    } else if milliseconds < 10_000 {
      put(milliseconds)
      put(" ms")
    } else {
      put(milliseconds / 1000)
      put(".")
      put(milliseconds % 1000 / 100)
      put(" s")
    }
  }

  /// A time as it is configured: `15 s`, `250 ms`.
  mutating func put(setting nanoseconds: UInt64) {
    let milliseconds = nanoseconds / 1_000_000
    let isSeconds = milliseconds > 0 && milliseconds % 1000 == 0
    put(isSeconds ? milliseconds / 1000 : milliseconds)
    put(isSeconds ? " s" : " ms")
  }

  /// A host and the cluster that it is of.
  mutating func put(host: ByteView, cluster: ByteView) {
    put(host)
    put(" (cluster ")
    put(cluster)
    put(")")
  }

  /// `;` and what follows.
  mutating func also(_ text: StaticString) {
    put("; ")
    put(text)
  }
}
