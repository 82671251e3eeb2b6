import Synchronization
import Testing

@testable import Proxy

struct ClusterLimitTests {
  private final class Held: Sendable {
    let units = Atomic<Int>(0)
    let most = Atomic<Int>(0)

    func take() {
      let now = units.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
      var seen = most.load(ordering: .relaxed)
      while now > seen {
        let (exchanged, original) = most.weakCompareExchange(expected: seen, desired: now, ordering: .relaxed)
        if exchanged { return }
        seen = original
      }
    }

    func give() { units.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
  }

  /// A million reservations in eight threads: never more units than there are, whoever looks and whenever.
  @Test func reservationsAreExactUnderRaces() async {
    let shared = ClusterShared()
    let held = Held()
    let limit: UInt64 = 5
    let (admitted, above) = await withTaskGroup(of: (Int, Int).self) { group in
      for _ in 0..<8 {
        group.addTask {
          var admitted = 0
          var above = 0
          for _ in 0..<125_000 {
            if shared.normal.requests.reserve(limit: limit) {
              held.take()
              admitted += 1
              if shared.normal.requests.current() > limit { above += 1 }
              held.give()
              shared.normal.requests.release()
            } else if shared.normal.requests.current() > limit {
              above += 1
            }
          }
          return (admitted, above)
        }
      }
      return await group.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
    }
    let (most, left) = (held.most.load(ordering: .relaxed), shared.normal.requests.current())
    #expect(admitted > 0)
    #expect(above == 0)
    #expect(most <= Int(limit))
    #expect(left == 0)
  }

  @Test func whatIsTakenStaysTaken() async {
    let shared = ClusterShared()
    let admitted = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<8 {
        group.addTask { (0..<10_000).count { _ in shared.high.pools.reserve(limit: 100) } }
      }
      return await group.reduce(0, +)
    }
    let (taken, isOneMore) = (shared.high.pools.current(), shared.high.pools.reserve(limit: 0))
    #expect(admitted == 100)
    #expect(taken == 100)
    #expect(!isOneMore)
  }

  struct BudgetRow: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var percent = 20.0
    var least: UInt32 = 3
    var interval: UInt64 = 0
    let active: Int
    var waiting = 0
    var recent: UInt64 = 0
    let want: UInt64
  }

  @Test(arguments: [
    BudgetRow(testDescription: "few requests: the least", active: 10, want: 3),
    BudgetRow(testDescription: "a fifth", active: 100, want: 20),
    BudgetRow(testDescription: "requests that wait count", active: 50, waiting: 50, want: 20),
    BudgetRow(testDescription: "parts are dropped", active: 99, want: 19),
    BudgetRow(testDescription: "nothing at all", percent: 0, least: 0, active: 100, want: 0),
    BudgetRow(testDescription: "without an interval, what was does not count", active: 10, recent: 1000, want: 3),
    BudgetRow(testDescription: "requests of the interval", interval: 1000, active: 10, recent: 1000, want: 200),
    BudgetRow(testDescription: "a burst is not in the reading yet", interval: 1000, active: 100, recent: 10, want: 20),
  ])
  func budgets(_ row: BudgetRow) {
    var limits = ClusterLimits()
    var budget = ClusterLimits.RetryBudget()
    budget.percent = row.percent
    budget.concurrencyMin = row.least
    budget.intervalMilliseconds = row.interval
    limits.retryBudget = budget
    let shared = ClusterShared()
    for _ in 0..<row.active { shared.normal.requests.take() }
    for _ in 0..<row.waiting { shared.normal.pending.take() }
    let allowed = limits.retries(shared.normal, recentRequests: row.recent)
    #expect(allowed == row.want)
  }

  @Test func tripsAreToldOnceAndForgotten() {
    let shared = ClusterShared()
    shared.trip(.connections)
    shared.trip(.connections)
    shared.trip(.hostConnections.of(isHigh: true))
    #expect(shared.trippedLimits == [.connections, .hostConnections.of(isHigh: true)])
    #expect(!shared.trippedLimits.contains(.hostConnections))
    shared.forgetTrips()
    #expect(shared.trippedLimits == [])
  }
}
