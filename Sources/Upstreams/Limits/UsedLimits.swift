import Proxy
import Stats

/// How much of one priority's limits is used.
struct UsedLimits: Equatable {
  /// What is left.
  var connections, pending, requests, retries, pools: UInt64
  /// With a budget, how many repeats are left says little: it is shown as 0, as in Envoy.
  var hasBudget: Bool

  init(_ limits: ClusterLimits, _ shared: borrowing ClusterShared.Priority, recentRequests: UInt64) {
    func left(_ limit: UInt64, _ used: UInt64) -> UInt64 { limit > used ? limit - used : 0 }
    connections = left(UInt64(limits.connections), shared.connections.current())
    pending = left(UInt64(limits.pendingRequests), shared.pending.current())
    requests = left(UInt64(limits.requests), shared.requests.current())
    retries = left(limits.retries(shared, recentRequests: recentRequests), shared.retries.current())
    pools = left(UInt64(limits.pools), shared.pools.current())
    hasBudget = limits.retryBudget != nil
  }
}

/// The gauges of one priority as they were last set: what does not change is not written.
struct ShownLimits {
  private var open = [false, false, false, false, false]
  private var remaining: [UInt64]?

  mutating func show(
    _ used: UsedLimits, _ gauges: ClusterStats.BreakerStats, _ left: ClusterStats.RemainingStats?, _ slab: StatsSlab
  ) {
    let all = [used.connections, used.pools, used.pending, used.requests, used.retries]
    let cells = [gauges.cxOpen, gauges.cxPoolOpen, gauges.rqPendingOpen, gauges.rqOpen, gauges.rqRetryOpen]
    for index in all.indices where open[index] != (all[index] == 0) {
      open[index] = all[index] == 0
      slab.set(cells[index], to: open[index] ? 1 : 0)
    }
    guard let left else {
      remaining = nil
      return
    }
    let values = [used.connections, used.pools, used.pending, used.requests, used.hasBudget ? 0 : used.retries]
    if values == remaining { return }
    remaining = values
    for (cell, value) in zip([left.connections, left.pools, left.pending, left.requests, left.retries], values) {
      slab.set(cell, to: value)
    }
  }
}
