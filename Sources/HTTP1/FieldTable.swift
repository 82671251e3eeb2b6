import HTTPCore
import Primitives

/// Where one field of a head is: offsets from the head's first byte.
@frozen
public struct FieldRange {
  public var nameStart: UInt32
  public var nameLength: UInt32
  /// Without white space at both ends.
  public var valueStart: UInt32
  public var valueLength: UInt32
  public var known: KnownHeader
  /// What ``HeaderMap`` building does with it.
  public var flags: FieldFlags

  @inlinable @inline(__always)
  init(
    nameStart: Int, nameLength: Int, valueStart: Int, valueLength: Int, known: KnownHeader,
    flags: FieldFlags
  ) {
    self.nameStart = UInt32(truncatingIfNeeded: nameStart)
    self.nameLength = UInt32(truncatingIfNeeded: nameLength)
    self.valueStart = UInt32(truncatingIfNeeded: valueStart)
    self.valueLength = UInt32(truncatingIfNeeded: valueLength)
    self.known = known
    self.flags = flags
  }

  @inlinable @inline(__always)
  public func name(in head: ByteView) -> ByteView {
    ByteView(head.base + Int(nameStart), Int(nameLength))
  }

  @inlinable @inline(__always)
  public func value(in head: ByteView) -> ByteView {
    ByteView(head.base + Int(valueStart), Int(valueLength))
  }
}

@frozen
public struct FieldFlags: OptionSet, Sendable {
  public var rawValue: UInt8
  @inlinable @inline(__always)
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Not for the next hop.
  public static let dropped = FieldFlags(rawValue: 1)
  /// The name holds `_`; only while the head is being parsed.
  public static let underscore = FieldFlags(rawValue: 2)
  /// Upgrade: for the next hop when the caller keeps upgrades.
  public static let upgrade = FieldFlags(rawValue: 4)
  /// TE with `trailers`: goes on as `trailers` alone.
  public static let trailersAccepted = FieldFlags(rawValue: 8)
}

/// Scratch memory for the fields of one head: one per worker, reused for every head.
///
/// Valid from a successful parse to the next one; build the header map in between. A trivial struct:
/// whoever makes it calls ``deallocate()`` once.
@frozen
public struct FieldTable {
  @usableFromInline let fields: UnsafeMutablePointer<FieldRange>
  // Indices of the fields that framing and connection handling look at.
  @usableFromInline let specials: UnsafeMutablePointer<UInt32>
  @usableFromInline let knownHeaders: KnownHeaderTable
  /// Fields it has room for: the largest `fieldCountMax` of any listener or cluster.
  public let capacity: Int
  public internal(set) var count: Int
  @usableFromInline var specialCount: Int
  /// Any ``FieldFlags/underscore`` in the table.
  @usableFromInline var hasUnderscores: Bool

  public init(capacity: Int) {
    self.capacity = max(1, capacity)
    self.fields = .allocate(capacity: self.capacity)
    self.specials = .allocate(capacity: self.capacity)
    self.knownHeaders = .shared
    self.count = 0
    self.specialCount = 0
    self.hasUnderscores = false
  }

  public func deallocate() {
    fields.deallocate()
    specials.deallocate()
  }

  /// The field at `index` of `0..<count`.
  @inlinable @inline(__always)
  public subscript(index: Int) -> FieldRange {
    assert(index >= 0 && index < count)
    return fields[index]
  }

  /// Known headers that framing and connection handling look at.
  @inline(__always)
  static func isSpecial(_ known: KnownHeader) -> Bool {
    let set: UInt64 =
      bit(.host) | bit(.contentLength) | bit(.transferEncoding) | bit(.connection)
      | bit(.keepAlive) | bit(.proxyConnection) | bit(.upgrade) | bit(.te) | bit(.expect)
    return known.rawValue < 64 && set >> UInt64(known.rawValue) & 1 == 1
  }

  @inline(__always)
  private static func bit(_ known: KnownHeader) -> UInt64 { 1 << UInt64(known.rawValue) }
}
