/// What became of a choice, in one word: the request path looks at it once when all is well.
package struct HostChoice: Equatable {
  package let raw: UInt32
  private static let noneBit: UInt32 = 1 << 31
  private static let panicBit: UInt32 = 1 << 30

  /// - Parameter host: Index into the set's hosts, below 2^30; -1: nobody.
  @inline(__always)
  init(_ host: Int32, isPanic: Bool = false) {
    raw = (host < 0 ? Self.noneBit : UInt32(bitPattern: host)) | (isPanic ? Self.panicBit : 0)
  }

  /// - Parameter member: Of a set's `members`.
  @inline(__always)
  init(member: UInt32) { raw = member }

  /// Somebody was chosen, and nothing is to be counted.
  @inline(__always)
  var isPlain: Bool { raw < Self.panicBit }

  /// The level was in panic.
  package var isPanic: Bool { raw & Self.panicBit != 0 }

  /// Index into the set's hosts; -1: nobody.
  package var host: Int32 {
    raw & Self.noneBit != 0 ? -1 : Int32(bitPattern: raw & ~Self.panicBit)
  }

  /// The same when it ``isPlain``.
  @inline(__always)
  var plainHost: Int32 { Int32(bitPattern: raw) }

  func panicking() -> HostChoice { HostChoice(host, isPanic: true) }
}
