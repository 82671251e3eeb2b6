import Synchronization

/// What all workers must agree on for one cluster: how much of its limits is used.
///
/// One object a cluster name, kept over configuration changes. Each number has a cache line of its
/// own; an admission is one atomic reservation, so a limit is never exceeded.
public final class ClusterShared: Sendable {
  public struct Limit: ~Copyable {
    private let value = Atomic<UInt64>(0)
    // Seven words keep the next number off this cache line.
    private let padding: InlineArray<7, UInt64> = .init(repeating: 0)

    public init() {}

    /// Takes one unit unless `limit` are taken.
    ///
    /// Who is refused writes nothing: workers that are all refused do not fight for the line, and the number is never
    /// above the limit, not for a moment in which it would refuse somebody who has a right to a unit.
    public borrowing func reserve(limit: UInt64) -> Bool {
      var taken = value.load(ordering: .relaxed)
      while taken < limit {
        let (exchanged, original) = value.weakCompareExchange(
          expected: taken, desired: taken &+ 1, ordering: .relaxed)
        if exchanged { return true }
        taken = original
      }
      return false
    }

    /// Takes one unit whatever the limit.
    public borrowing func take() {
      value.wrappingAdd(1, ordering: .relaxed)
    }

    public borrowing func release() {
      value.wrappingSubtract(1, ordering: .relaxed)
    }

    public borrowing func current() -> UInt64 { value.load(ordering: .relaxed) }
  }

  /// Limits of one routing priority.
  public struct Priority: ~Copyable, Sendable {
    public let connections = Limit()
    public let pending = Limit()
    public let requests = Limit()
    public let retries = Limit()
    public let pools = Limit()

    public init() {}
  }

  public let normal = Priority()
  public let high = Priority()
  /// With `budget_interval`: requests that began in it, as main last counted them.
  public let recentRequests = Atomic<UInt64>(0)
  private let tripped = Atomic<UInt32>(0)

  public init() {}

  /// A limit has refused somebody. Written once a limit, until main forgets.
  @inline(never)
  func trip(_ limit: TrippedLimits) {
    if tripped.load(ordering: .relaxed) & limit.rawValue != 0 { return }
    tripped.bitwiseOr(limit.rawValue, ordering: .relaxed)
  }

  /// Limits that have refused somebody since ``forgetTrips()``. Main's.
  public var trippedLimits: TrippedLimits { TrippedLimits(rawValue: tripped.load(ordering: .relaxed)) }

  /// Main has other limits.
  public func forgetTrips() { tripped.store(0, ordering: .relaxed) }
}

extension ClusterShared.Limit: @unchecked Sendable {}

/// Which limits of a cluster have refused somebody.
public struct TrippedLimits: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  // The bits of the priority DEFAULT; those of HIGH are above them.
  public static let connections = TrippedLimits(rawValue: 1 << 0)
  public static let pending = TrippedLimits(rawValue: 1 << 1)
  public static let requests = TrippedLimits(rawValue: 1 << 2)
  public static let retries = TrippedLimits(rawValue: 1 << 3)
  public static let pools = TrippedLimits(rawValue: 1 << 4)
  public static let hostConnections = TrippedLimits(rawValue: 1 << 5)

  private static let bitsOfPriority: UInt32 = 8

  /// The same limits of a priority.
  public func of(isHigh: Bool) -> TrippedLimits {
    isHigh ? TrippedLimits(rawValue: rawValue << Self.bitsOfPriority) : self
  }
}
