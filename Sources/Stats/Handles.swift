/// A metric that only grows. Trivial: copy it into every structure that counts.
@frozen
public struct Counter: Sendable, Hashable {
  @usableFromInline let cell: UInt32
  @usableFromInline init(cell: UInt32) { self.cell = cell }
  /// Counts into a cell that nobody reads.
  public static var discarded: Counter { Counter(cell: CellLayout.scratchScalar) }
  /// There was no cell for it: what it shows is of others that have none.
  public var isDiscarded: Bool { cell == CellLayout.scratchScalar }
}

/// A metric that goes up and down. Either any thread adds and subtracts, and the value is the sum over the
/// slabs, or one thread sets it: not both.
@frozen
public struct Gauge: Sendable, Hashable {
  @usableFromInline let cell: UInt32
  @usableFromInline init(cell: UInt32) { self.cell = cell }
  /// Counts into a cell that nobody reads.
  public static var discarded: Gauge { Gauge(cell: CellLayout.scratchScalar) }
}

/// A distribution of values (see ``HistogramLayout``).
@frozen
public struct Histogram: Sendable, Hashable {
  @usableFromInline let cell: UInt32
  @usableFromInline init(cell: UInt32) { self.cell = cell }
  /// Records into cells that nobody reads.
  public static var discarded: Histogram { Histogram(cell: CellLayout.scratchHistogram) }
}

/// One counter for every HTTP status code from 100 to 599, reported as `<name>_<code>` once it is not zero.
@frozen
public struct CodeFamily: Sendable, Hashable {
  @usableFromInline let cell: UInt32
  @usableFromInline init(cell: UInt32) { self.cell = cell }
  /// Counts into cells that nobody reads.
  public static var discarded: CodeFamily { CodeFamily(cell: CellLayout.scratchFamily) }
}

/// Up to 500 counters by index, each reported as `<name>.<its own name>` once it is not zero (``FamilyNames``).
@frozen
public struct NamedFamily: Sendable, Hashable {
  @usableFromInline let cell: UInt32
  @usableFromInline init(cell: UInt32) { self.cell = cell }
  /// Counts into cells that nobody reads.
  public static var discarded: NamedFamily { NamedFamily(cell: CellLayout.scratchFamily) }
}

/// Counters in a row that only this handle knows, such as the buckets of one host.
@frozen
public struct CounterBlock: Sendable, Hashable {
  public static var count: Int { 32 }
  @usableFromInline let cell: UInt32
  @usableFromInline init(cell: UInt32) { self.cell = cell }
}

/// The fixed places of a slab, in cells of 8 bytes.
@usableFromInline
enum CellLayout {
  static let scratchScalar: UInt32 = 0
  static let scratchFamily: UInt32 = 512
  static let scratchHistogram: UInt32 = 1024
  /// The first cell that metrics use: a page boundary behind the scratch cells.
  static let firstFree = 1024 + HistogramLayout.strideCells

  /// A family: a cell that counts every record, a cell for what is out of range, and from `familyMembers` on
  /// one cell a member: a code or an index.
  static let familyCells = 512
  @usableFromInline static var familyTotal: Int { 0 }
  @usableFromInline static var familyOutOfRange: Int { 1 }
  @usableFromInline static var familyMembers: Int { 8 }
  @usableFromInline static var codeFirst: Int { 100 }
  @usableFromInline static var memberCount: Int { 500 }
}
