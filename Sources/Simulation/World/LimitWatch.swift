import ConfigCompiler
import Proxy

/// Nobody is admitted beyond a cluster's limit: its numbers never grow above it.
///
/// A lower limit of a new configuration leaves what is under way.
final class LimitWatch {
  /// What was above its limit after the last turn.
  private var last: [String: UInt64] = [:]
  /// Of the configuration that the worker has.
  private var clusters: [LimitedCluster] = []
  private var version = 0
  /// What is above a limit now was admitted by another one.
  private var isNew = false
  private let report: (String) -> Void

  init(report: @escaping (String) -> Void) { self.report = report }

  /// - Parameters:
  ///   - newest: Those of main's newest configuration.
  ///   - hasReadAll: The worker has seen every message.
  func afterTurn(_ newest: [LimitedCluster], version: Int, hasReadAll: Bool) {
    isNew = version != self.version
    if isNew {
      // On its way the old limits and the new ones may hold.
      guard hasReadAll else { return }
      self.version = version
      clusters = newest
      last = [:]
    }
    for cluster in clusters {
      let config = cluster.config.pointer
      check(cluster.name, "DEFAULT", config.pointee.normalLimits, config.pointee.shared.normal)
      check(cluster.name, "HIGH", config.pointee.highLimits, config.pointee.shared.high)
    }
  }

  /// Lets go of the clusters.
  func end() { clusters = [] }

  private func check(
    _ name: String, _ priority: String, _ limits: ClusterLimits, _ units: borrowing ClusterShared.Priority
  ) {
    check(name, priority, "waiting requests", units.pending.current(), UInt64(limits.pendingRequests))
    check(name, priority, "requests", units.requests.current(), UInt64(limits.requests))
    check(name, priority, "pools", units.pools.current(), UInt64(limits.pools))
    // A share of what there was when it was asked for, which nobody knows any more, is at most one of the limits.
    let repeats =
      limits.retryBudget.map { budget in
        max(
          UInt64(budget.concurrencyMin),
          UInt64(budget.percent / 100 * (Double(limits.requests) + Double(limits.pendingRequests))))
      } ?? UInt64(limits.retries)
    check(name, priority, "repeats", units.retries.current(), repeats)
  }

  private func check(_ name: String, _ priority: String, _ what: String, _ value: UInt64, _ limit: UInt64) {
    // Nearly always: no text is made.
    if value <= limit, last.isEmpty { return }
    let key = "\(name) \(priority) \(what)"
    guard value > limit else {
      last[key] = nil
      return
    }
    if !isNew, value > last[key] ?? limit {
      report("cluster \(name), \(priority): \(Int64(bitPattern: value)) \(what), and the limit is \(limit)")
    }
    last[key] = value
  }
}
