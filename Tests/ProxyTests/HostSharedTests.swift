import HostHealth
import Testing

@testable import Proxy

struct HostSharedTests {
  private let thresholds = StreakThresholds(consecutive5xx: 5, gatewayFailure: 3, localOriginFailure: 2)

  @Test func aRowIsToldOnceWhenItIsLongEnough() {
    let shared = HostShared()
    let told = (1...8).map { _ in shared.count(.external(status: 500), thresholds) }
    #expect(told == [[], [], [], [], .consecutive5xx, [], [], []])
    shared.reset(.consecutive5xx)
    #expect(shared.failures.serverErrors == 0)
  }

  @Test func aResponseEndsARow() {
    let shared = HostShared()
    for _ in 0..<4 { #expect(shared.count(.external(status: 503), StreakThresholds(consecutive5xx: 5, gatewayFailure: 5, localOriginFailure: 0)).isEmpty) }
    #expect(shared.count(.external(status: 200), thresholds).isEmpty)
    #expect(shared.failures == ConsecutiveFailures())
  }

  @Test func rowsAreExactUnderRaces() async {
    let shared = HostShared()
    let thresholds = StreakThresholds(consecutive5xx: 40_000, gatewayFailure: 0, localOriginFailure: 0)
    let told = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<8 {
        group.addTask {
          var told = 0
          for _ in 0..<10_000 where !shared.count(.external(status: 500), thresholds).isEmpty { told += 1 }
          return told
        }
      }
      return await group.reduce(0, +)
    }
    #expect(told == 1)
    #expect(shared.failures.serverErrors == 80_000)
  }

  @Test func oneMessageIsEnoughForAllEvents() {
    let shared = HostShared()
    #expect(shared.takeEvents() == [])
    #expect(shared.raise(HostEvents(.consecutive5xx)))
    #expect(!shared.raise(.immediateFailure))
    #expect(!shared.raise(HostEvents(.gatewayFailure)))
    let events = shared.takeEvents()
    #expect(events.streaks == [.consecutive5xx, .gatewayFailure])
    #expect(events.contains(.immediateFailure))
    #expect(shared.takeEvents() == [])
    #expect(shared.raise(.immediateFailure))
  }

  /// Events that a worker has raised are taken by exactly one look.
  @Test func noEventIsLostOrTakenTwice() async {
    let shared = HostShared()
    let (raised, taken) = await withTaskGroup(of: (Int, Int).self) { group in
      for _ in 0..<4 {
        group.addTask {
          var told = 0
          for _ in 0..<20_000 where shared.raise(.immediateFailure) { told += 1 }
          return (told, 0)
        }
      }
      group.addTask {
        var taken = 0
        for _ in 0..<100_000 where !shared.takeEvents().isEmpty { taken += 1 }
        return (0, taken)
      }
      return await group.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
    }
    #expect(raised == taken + (shared.takeEvents().isEmpty ? 0 : 1))
  }
}
