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
    public borrowing func reserve(limit: UInt32) -> Bool {
      let taken = value.wrappingAdd(1, ordering: .relaxed).oldValue
      if taken < UInt64(limit) { return true }
      value.wrappingSubtract(1, ordering: .relaxed)
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

    public init() {}
  }

  public let normal = Priority()
  public let high = Priority()

  public init() {}
}

extension ClusterShared.Limit: @unchecked Sendable {}
