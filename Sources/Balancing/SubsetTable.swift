/// Finds a subset by its digest, as workers do; the memory is ``SubsetTableStorage``'s.
@frozen
public struct SubsetTable: @unchecked Sendable {
  // Sendable: written once, before another thread can see it.
  @frozen
  @usableFromInline
  struct Slot {
    @usableFromInline let digest: UInt64
    /// `UInt32.max`: free.
    @usableFromInline let number: UInt32

    init(digest: UInt64, number: UInt32) {
      self.digest = digest
      self.number = number
    }
  }

  @usableFromInline let slots: UnsafePointer<Slot>
  /// A power of two of slots, less 1; at least half of them are free.
  @usableFromInline let mask: UInt64

  init(slots: UnsafePointer<Slot>, mask: UInt64) {
    self.slots = slots
    self.mask = mask
  }

  /// The subset's position in ``SubsetIndex/subsets``.
  @inlinable
  public func find(_ digest: UInt64) -> UInt32? {
    var place = digest & mask
    while true {
      let slot = slots[Int(truncatingIfNeeded: place)]
      if slot.number == .max { return nil }
      if slot.digest == digest { return slot.number }
      place = (place &+ 1) & mask
    }
  }
}

/// Owns the memory of one ``SubsetTable``.
public final class SubsetTableStorage: Sendable {
  /// Reads memory that lives as long as this object.
  public let table: SubsetTable

  public init(_ index: SubsetIndex) {
    var size = 2
    while size < index.subsets.count * 2 { size *= 2 }
    let slots = UnsafeMutablePointer<SubsetTable.Slot>.allocate(capacity: size)
    slots.initialize(repeating: SubsetTable.Slot(digest: 0, number: .max), count: size)
    let mask = UInt64(size - 1)
    for (number, subset) in index.subsets.enumerated() {
      var place = subset.digest & mask
      while slots[Int(place)].number != .max { place = (place + 1) & mask }
      slots[Int(place)] = SubsetTable.Slot(digest: subset.digest, number: UInt32(number))
    }
    table = SubsetTable(slots: slots, mask: mask)
  }

  deinit { table.slots.deallocate() }
}
