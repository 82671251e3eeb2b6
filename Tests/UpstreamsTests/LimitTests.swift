import Proxy
import Testing

@testable import Upstreams

struct LimitTests {
  @Test func sentencesNameTheSettingAndItsValue() {
    var limits = ClusterLimits()
    #expect(
      LimitSentences.of([.pending], limits, isHigh: false) == [
        "circuit_breakers.thresholds[DEFAULT].max_pending_requests (1024, the default) is reached: requests now fail with 503 UO; logged once"
      ])
    limits.requests = 7
    limits.settings = .requests
    let high = TrippedLimits.requests.of(isHigh: true)
    #expect(LimitSentences.of(high, limits, isHigh: false) == [])
    #expect(
      LimitSentences.of(high, limits, isHigh: true) == [
        "circuit_breakers.thresholds[HIGH].max_requests (7) is reached: requests now fail with 503 UO; logged once"
      ])
    limits.retryBudget = ClusterLimits.RetryBudget()
    limits.hostConnections = 2
    limits.pools = 4
    #expect(
      LimitSentences.of([.connections, .retries, .pools, .hostConnections], limits, isHigh: false) == [
        "circuit_breakers.thresholds[DEFAULT].max_connections (1024, the default) is reached: requests now wait for a connection; logged once",
        "circuit_breakers.thresholds[DEFAULT].max_connection_pools (4) is reached: requests now fail with 503 UO; logged once",
        "circuit_breakers.thresholds[DEFAULT].retry_budget (20.0 % of requests, at least 3) is reached: requests that fail now are not sent again (UO); logged once",
        "circuit_breakers.per_host_thresholds[DEFAULT].max_connections (2) is reached: requests for a host that has so many now wait for a connection; logged once",
      ])
  }

  @Test func recentRequestsAreThoseOfTheInterval() {
    var recent = RecentRequests(interval: 1000)
    #expect(recent.pauseMilliseconds == 100)
    #expect(RecentRequests(interval: 3_600_000).pauseMilliseconds == 500)
    #expect(recent.count(500, at: 1000) == 0)
    #expect(recent.count(505, at: 1050) == 5)
    // 10 a slot.
    for slot in 1...10 { #expect(recent.count(500 + UInt64(slot) * 10, at: 1000 + UInt64(slot) * 100) == UInt64(slot) * 10) }
    // Those of the first slot have left.
    #expect(recent.count(610, at: 2100) == 100)
    for slot in 12...20 { _ = recent.count(610, at: 1000 + UInt64(slot) * 100) }
    #expect(recent.count(610, at: 3100) == 0)
    // Somebody has reset the counter.
    #expect(recent.count(5, at: 3110) == 0)
    #expect(recent.count(8, at: 3120) == 3)
  }

  @Test func whatIsLeftIsNeverLessThanNothing() {
    let shared = ClusterShared()
    var limits = ClusterLimits()
    limits.connections = 1
    shared.normal.connections.take()
    // A host's first connection is above the limit.
    shared.normal.connections.take()
    let used = UsedLimits(limits, shared.normal, recentRequests: 0)
    #expect(used.connections == 0)
    #expect(used.requests == 1024)
    #expect(used.pools == UInt64(UInt32.max))
  }
}
