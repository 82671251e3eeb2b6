import Primitives

/// The bytes of echo messages: a long run of random bytes, of which each message is another piece,
/// so that an answer that belongs to another message is noticed.
struct EchoPattern {
  let messageBytes: Int
  private let bytes: UnsafeMutablePointer<UInt8>
  private static let starts: UInt64 = 1 << 14

  init(messageBytes: Int) {
    self.messageBytes = messageBytes
    let count = messageBytes + Int(Self.starts)
    bytes = .allocate(capacity: count)
    var random = FastRandom(seed: 0xEC40)
    for index in 0..<count { bytes[index] = UInt8(truncatingIfNeeded: random.next() >> 32) }
  }

  func deallocate() { bytes.deallocate() }

  /// Where the message with this number starts.
  @inline(__always)
  func start(_ number: UInt64) -> UInt32 {
    // Odd, so that all starts come once before one comes again.
    UInt32(truncatingIfNeeded: (number &* 6367) % Self.starts)
  }

  @inline(__always)
  func message(_ start: UInt32) -> ByteView { ByteView(bytes + Int(start), messageBytes) }
}
