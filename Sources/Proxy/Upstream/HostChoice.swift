/// What became of a choice, in one word: the request path looks at it once when all is well.
package struct HostChoice: Equatable {
  package let raw: UInt32
  private static let noneBit: UInt32 = 1 << 31
  private static let panicBit: UInt32 = 1 << 30
  private static let zoneShift: UInt32 = 27
  private static let zoneBits: UInt32 = 7 << zoneShift
  private static let notes: UInt32 = panicBit | zoneBits

  /// - Parameter host: Index into the set's hosts, below 2^27; -1: nobody.
  @inline(__always)
  init(_ host: Int32, isPanic: Bool = false) {
    raw = (host < 0 ? Self.noneBit : UInt32(bitPattern: host)) | (isPanic ? Self.panicBit : 0)
  }

  /// - Parameter member: Of a set's `members`.
  @inline(__always)
  init(member: UInt32) { raw = member }

  private init(raw: UInt32) { self.raw = raw }

  /// Somebody was chosen, and nothing is to be counted.
  @inline(__always)
  var isPlain: Bool { raw < 1 << Self.zoneShift }

  /// The level was in panic.
  package var isPanic: Bool { raw & Self.panicBit != 0 }

  /// What zones had to do with it.
  var zone: ZoneOutcome { ZoneOutcome(rawValue: UInt8(raw >> Self.zoneShift & 7)) ?? .none }

  /// Index into the set's hosts; -1: nobody.
  package var host: Int32 {
    raw & Self.noneBit != 0 ? -1 : Int32(bitPattern: raw & ~Self.notes)
  }

  /// The same when it ``isPlain``.
  @inline(__always)
  var plainHost: Int32 { Int32(bitPattern: raw) }

  /// The same with what was noticed on the way to the list.
  func noting(isPanic: Bool, _ zone: ZoneOutcome) -> HostChoice {
    HostChoice(raw: raw | (isPanic ? Self.panicBit : 0) | UInt32(zone.rawValue) << Self.zoneShift)
  }
}
