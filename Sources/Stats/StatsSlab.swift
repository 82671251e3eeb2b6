import Synchronization

/// The cells of one thread: the only thing that a worker touches to count.
///
/// Only the thread that owns the slab may call the methods; they are plain adds (a relaxed load and a relaxed
/// store of the same cell, no locked instruction). Everybody else reads relaxed, through ``StatsRegistry``.
/// Trivial to copy; it is valid as long as the registry that it came from.
@frozen
public struct StatsSlab: @unchecked Sendable {
  @usableFromInline let base: UnsafeMutablePointer<Atomic<UInt64>>

  @usableFromInline
  init(base: UnsafeMutablePointer<Atomic<UInt64>>) { self.base = base }

  @inlinable @inline(__always)
  func load(_ cell: Int) -> UInt64 { base[cell].load(ordering: .relaxed) }

  @inlinable @inline(__always)
  func store(_ cell: Int, _ value: UInt64) { base[cell].store(value, ordering: .relaxed) }

  @inlinable @inline(__always)
  func bump(_ cell: Int, by amount: UInt64) { store(cell, load(cell) &+ amount) }

  @inlinable @inline(__always)
  public func increment(_ counter: Counter) { bump(Int(counter.cell), by: 1) }

  @inlinable @inline(__always)
  public func add(_ counter: Counter, _ amount: UInt64) { bump(Int(counter.cell), by: amount) }

  // A gauge cell holds a signed number of 63 bits; the top bit says that the gauge was ever written.

  @inlinable @inline(__always)
  public func add(_ gauge: Gauge, _ amount: UInt64) {
    let cell = Int(gauge.cell)
    store(cell, (load(cell) &+ amount) | Self.gaugeWritten)
  }

  @inlinable @inline(__always)
  public func subtract(_ gauge: Gauge, _ amount: UInt64) {
    let cell = Int(gauge.cell)
    store(cell, (load(cell) &- amount) | Self.gaugeWritten)
  }

  @inlinable @inline(__always)
  public func increment(_ gauge: Gauge) { add(gauge, 1) }

  @inlinable @inline(__always)
  public func decrement(_ gauge: Gauge) { subtract(gauge, 1) }

  /// Sets this slab's share of the gauge: for gauges that only one thread (as a rule main) writes.
  @inlinable @inline(__always)
  public func set(_ gauge: Gauge, to value: UInt64) {
    store(Int(gauge.cell), value | Self.gaugeWritten)
  }

  @inlinable static var gaugeWritten: UInt64 { 1 << 63 }

  /// Records one value: microseconds, or a plain number for a histogram of unit ``HistogramUnit/unspecified``.
  @inlinable @inline(__always)
  public func record(_ histogram: Histogram, _ value: UInt64) {
    let header = Int(histogram.cell)
    let bucket = HistogramLayout.bucket(of: value)
    bump(header &+ HistogramLayout.headerCells &+ bucket, by: 1)
    bump(header &+ HistogramLayout.countCell, by: 1)
    bump(header &+ HistogramLayout.sumCell, by: value)
    raise(header &+ HistogramLayout.highestCell, to: UInt64(truncatingIfNeeded: bucket))
    raise(
      header &+ HistogramLayout.lowestInvertedCell,
      to: UInt64(truncatingIfNeeded: HistogramLayout.bucketCount &- bucket))
  }

  @inlinable @inline(__always)
  func raise(_ cell: Int, to value: UInt64) { store(cell, max(load(cell), value)) }

  /// Counts one response with the status `code`. Codes outside 100...599 are counted but not reported.
  @inlinable @inline(__always)
  public func increment(_ family: CodeFamily, code: UInt16) {
    let header = Int(family.cell)
    let index = Int(code) &- CellLayout.codeFirst
    increment(member: index, ofFamilyAt: header)
  }

  /// Counts one event of the member `index`. An index that has no name is counted but not reported.
  @inlinable @inline(__always)
  public func increment(_ family: NamedFamily, index: Int) {
    increment(member: index, ofFamilyAt: Int(family.cell))
  }

  /// - Parameter index: Below ``CounterBlock/count``.
  @inlinable @inline(__always)
  public func increment(_ block: CounterBlock, index: Int) {
    bump(Int(block.cell) &+ (index & (CounterBlock.count &- 1)), by: 1)
  }

  @inlinable @inline(__always)
  func increment(member index: Int, ofFamilyAt header: Int) {
    let inRange = UInt(bitPattern: index) < UInt(CellLayout.memberCount)
    let offset = inRange ? CellLayout.familyMembers &+ index : CellLayout.familyOutOfRange
    bump(header &+ offset, by: 1)
    bump(header &+ CellLayout.familyTotal, by: 1)
  }
}
