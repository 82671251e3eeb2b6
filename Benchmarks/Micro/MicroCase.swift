/// One thing that is measured. `prepare` makes what it needs and returns the work, which does the thing
/// as often as it is told and returns a digest.
struct MicroCase: Sendable {
  let name: String
  let prepare: @Sendable () throws -> (Int) -> UInt64

  init(_ name: String, _ prepare: @escaping @Sendable () throws -> (Int) -> UInt64) {
    self.name = name
    self.prepare = prepare
  }
}

/// A value that depends on everything that was added, so that no work can be left out.
struct Digest {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  @inline(__always)
  mutating func add(_ number: UInt64) { value = (value ^ number) &* 0x0000_0100_0000_01B3 }

  @inline(__always)
  mutating func add(_ number: Int) { add(UInt64(truncatingIfNeeded: number)) }
}
