import Primitives

/// Finds the ``KnownHeader`` of a name: one hash over length and three bytes, one comparison.
public struct KnownHeaderTable: @unchecked Sendable {
  // Sendable: written once before anybody else sees it, never freed.
  @usableFromInline let slots: UnsafeMutablePointer<UInt8>  // hash -> known header, or 0
  @usableFromInline let names: UnsafeMutablePointer<ByteView>  // known header -> its name
  @usableFromInline let multiplier: UInt32
  @usableFromInline static let slotCount = 2048

  public static let shared = KnownHeaderTable()

  private init() {
    let count = KnownHeader.allCases.count
    names = .allocate(capacity: count)
    for header in KnownHeader.allCases {
      (names + Int(header.rawValue)).initialize(to: ByteView(header.name))
    }
    slots = .allocate(capacity: Self.slotCount)
    // Search for a multiplier with no collision; it depends on the list alone, so the search is
    // the same in every run and the table is perfect.
    var candidate: UInt32 = 0x9E37_79B1
    search: while true {
      slots.initialize(repeating: 0, count: Self.slotCount)
      for header in KnownHeader.allCases where header != .other {
        let slot = Self.hash(names[Int(header.rawValue)], candidate)
        if slots[slot] != 0 {
          candidate = candidate &* 5 &+ 2
          candidate |= 1
          continue search
        }
        slots[slot] = header.rawValue
      }
      break
    }
    multiplier = candidate
  }

  /// The first and last eight bytes (overlapping when shorter) mixed with the length; letters are
  /// folded to lower case by setting bit 5, which is exact for the names in the table.
  @inlinable @inline(__always)
  static func hash(_ name: ByteView, _ multiplier: UInt32) -> Int {
    let n = name.count
    guard n > 1 else { return 0 }
    let raw = UnsafeRawPointer(name.base)
    var a: UInt32
    var b: UInt32
    var c: UInt32 = 0
    if n >= 4 {
      a = raw.loadUnaligned(as: UInt32.self)
      b = raw.loadUnaligned(fromByteOffset: n &- 4, as: UInt32.self)
      c = raw.loadUnaligned(fromByteOffset: (n &- 4) / 2, as: UInt32.self)
    } else {
      a = UInt32(raw.loadUnaligned(as: UInt16.self))
      b = UInt32(name.base[n &- 1])
    }
    a |= 0x2020_2020
    b |= 0x2020_2020
    c |= 0x2020_2020
    var h = (a &+ b &* 3) ^ (c &* 0x85EB_CA6B) ^ UInt32(truncatingIfNeeded: n)
    h = (h ^ (h >> 15)) &* multiplier
    return Int(h >> 21)
  }

  /// - Parameter name: Any case; must be a valid token for the folding to be exact.
  @inlinable @inline(__always)
  public func find(_ name: ByteView) -> KnownHeader {
    let candidate = slots[Self.hash(name, multiplier)]
    if candidate == 0 { return .other }
    let known = names[Int(candidate)]
    guard known.count == name.count, Self.equalsFolded(name, known) else { return .other }
    return unsafeBitCast(candidate, to: KnownHeader.self)  // the table holds nothing else
  }

  /// Whether both of one length agree when bit 5 is set in `name`, word by word; the last words may
  /// overlap. Exact for tokens: no other token character folds to a letter, digit or `-`.
  @inlinable @inline(__always)
  static func equalsFolded(_ name: ByteView, _ known: ByteView) -> Bool {
    let a = UnsafeRawPointer(name.base)
    let b = UnsafeRawPointer(known.base)
    let n = known.count
    if n >= 8 {
      @inline(__always) func differ(_ at: Int) -> UInt64 {
        (a.loadUnaligned(fromByteOffset: at, as: UInt64.self) | 0x2020_2020_2020_2020)
          ^ b.loadUnaligned(fromByteOffset: at, as: UInt64.self)
      }
      var difference = differ(n &- 8)
      var at = 0
      while at &+ 8 < n {
        difference |= differ(at)
        at &+= 8
      }
      return difference == 0
    }
    if n >= 4 {
      @inline(__always) func differ(_ at: Int) -> UInt32 {
        (a.loadUnaligned(fromByteOffset: at, as: UInt32.self) | 0x2020_2020)
          ^ b.loadUnaligned(fromByteOffset: at, as: UInt32.self)
      }
      return differ(0) | differ(n &- 4) == 0
    }
    var i = 0
    while i < n {
      if name.base[i] | 0x20 != known.base[i] { return false }
      i &+= 1
    }
    return true
  }

  /// The immortal lower-case name of a known header.
  @inlinable @inline(__always)
  public func name(_ header: KnownHeader) -> ByteView { names[Int(header.rawValue)] }
}
