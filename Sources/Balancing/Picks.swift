import Glibc
import Primitives

/// Where a worker's turns begin.
public enum WorkerStart {
  /// A position below `count`: workers start evenly apart, clusters at places of their own, so that
  /// few requests do not pile up on the first host.
  ///
  /// - Parameters:
  ///   - digest: Of the cluster's name.
  ///   - worker: 0..<`workers`
  @inlinable
  public static func position(
    digest: UInt64, worker: UInt32, workers: UInt32, count: UInt32
  ) -> UInt32 {
    guard count > 0 else { return 0 }
    // Two numbers of 32 bits: the product fits 64.
    let apart = UInt64(worker) &* UInt64(count) / UInt64(max(1, workers))
    return UInt32(truncatingIfNeeded: (digest % UInt64(count) &+ apart) % UInt64(count))
  }
}

/// Plain turns over a list whose hosts weigh the same: a worker's state of it.
@frozen
public struct RoundRobin: Sendable, Equatable {
  @usableFromInline var cursor: UInt32

  /// - Parameter start: ``WorkerStart/position(digest:worker:workers:count:)``.
  @inlinable
  public init(start: UInt32 = 0) { cursor = start }

  /// Whoever picks first says where to begin.
  @inlinable
  public static var unstarted: RoundRobin { RoundRobin(start: .max) }

  /// A position in the list. The list may have changed since the last pick.
  ///
  /// - Parameter count: At least 1.
  @inlinable @inline(__always)
  public mutating func pick(count: UInt32) -> UInt32 {
    if let position = advance(count: count) { return position }
    cursor = 1
    return 0
  }

  /// The next position, or nil at the end of the list and before the first pick: the caller says where to go on.
  @inlinable @inline(__always)
  public mutating func advance(count: UInt32) -> UInt32? {
    let position = cursor
    guard position < count else { return nil }
    cursor = position &+ 1
    return position
  }

  /// Whether nothing was picked yet.
  @inlinable
  public var isUnstarted: Bool { cursor == .max }
}

/// The host with the fewest active requests, of a few or of all (Envoy `least_request_lb.cc`).
@frozen
public struct LeastRequest: Sendable, Equatable {
  /// Hosts looked at by one pick, at least 1. O(this).
  public let choiceCount: UInt32
  /// How much active requests take off a weight; 0: nothing.
  public let activeRequestBias: Double

  @inlinable
  public init(choiceCount: UInt32 = 2, activeRequestBias: Double = 1) {
    self.choiceCount = max(1, choiceCount)
    self.activeRequestBias = activeRequestBias
  }

  /// A position in a list of equal weights: the best of `choiceCount` random ones, which may be the
  /// same; of equals the first.
  ///
  /// - Parameters:
  ///   - count: At least 1.
  ///   - active: Requests of the host at a position.
  @inlinable
  public func pick(
    count: UInt32, _ random: inout FastRandom, active: (UInt32) -> UInt32
  ) -> UInt32 {
    var best = random.below(count)
    var fewest = active(best)
    var left = choiceCount &- 1
    // Nobody has fewer than none.
    while left > 0, fewest > 0 {
      let position = random.below(count)
      let requests = active(position)
      if requests < fewest {
        best = position
        fewest = requests
      }
      left &-= 1
    }
    return best
  }

  /// The best of the whole list (`FULL_SCAN`); each of the equals as likely as the others, by
  /// reservoir sampling. `count` is at least 1.
  @inlinable
  public func pickOfAll(
    count: UInt32, _ random: inout FastRandom, active: (UInt32) -> UInt32
  ) -> UInt32 {
    var best: UInt32 = 0
    var fewest = active(0)
    var ties: UInt32 = 1
    for position in 1..<max(1, count) {
      let requests = active(position)
      if requests < fewest {
        best = position
        fewest = requests
        ties = 1
      } else if requests == fewest {
        ties &+= 1
        if random.below(ties) == 0 { best = position }
      }
    }
    return best
  }

  /// A host's weight in a ``DeadlineSchedule``: weight / (active + 1)^bias.
  @inlinable
  public func weight(_ weight: UInt32, active: UInt32) -> Double {
    let requests = Double(active) + 1
    if activeRequestBias == 1 { return Double(weight) / requests }
    if activeRequestBias == 0 { return Double(weight) }
    return Double(weight) / pow(requests, activeRequestBias)
  }
}

/// Uniform, whatever the weights (Envoy `random_lb.cc`).
public enum RandomPick {
  /// A position in a list of at least one host.
  @inlinable @inline(__always)
  public static func pick(count: UInt32, _ random: inout FastRandom) -> UInt32 {
    random.below(count)
  }
}
