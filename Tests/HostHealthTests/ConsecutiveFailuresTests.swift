import HostHealth
import Primitives
import Synchronization
import Testing

@Suite struct ConsecutiveFailuresTests {
  static let countMax: UInt32 = 1_048_575

  static func word(_ serverErrors: UInt64, _ gateway: UInt64, _ local: UInt64) -> ConsecutiveFailures {
    ConsecutiveFailures(word: serverErrors | gateway << 20 | local << 40)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let count: OutlierCount
    /// After (3, 2, 1).
    let after: ConsecutiveFailures
    init(_ name: String, _ count: OutlierCount, _ a: UInt64, _ b: UInt64, _ c: UInt64) {
      testDescription = name
      self.count = count
      after = word(a, b, c)
    }
  }

  static let rows = [
    Row("200", .external(status: 200), 0, 0, 1),
    Row("204, the alternative for a timeout", .external(status: 204), 0, 0, 1),
    Row("404", .external(status: 404), 0, 0, 1),
    Row("499", .external(status: 499), 0, 0, 1),
    Row("500 is no gateway failure", .external(status: 500), 4, 0, 1),
    Row("501", .external(status: 501), 4, 0, 1),
    Row("502", .external(status: 502), 4, 3, 1),
    Row("503", .external(status: 503), 4, 3, 1),
    Row("504", .external(status: 504), 4, 3, 1),
    Row("505", .external(status: 505), 4, 0, 1),
    Row("599", .external(status: 599), 4, 0, 1),
    Row("600", .external(status: 600), 0, 0, 1),
    Row("0", .external(status: 0), 0, 0, 1),
    Row("65535", .external(status: 65535), 0, 0, 1),
    Row("local failure", .localOriginFailure, 3, 2, 2),
    Row("local success", .localOriginSuccess, 3, 2, 0),
    Row("nothing", .nothing, 3, 2, 1),
  ]

  @Test(arguments: rows)
  func step(_ row: Row) {
    #expect(row.count.next(after: Self.word(3, 2, 1)) == row.after)
  }

  @Test func fields() {
    let streaks = Self.word(1, 2, 3)
    #expect(streaks.serverErrors == 1)
    #expect(streaks.gatewayFailures == 2)
    #expect(streaks.localOriginFailures == 3)
    #expect(ConsecutiveFailures().word == 0)
  }

  /// Success leaves a word of zero, which is all that a healthy request looks at.
  @Test func successOnZeroIsZero() {
    let none = ConsecutiveFailures()
    #expect(OutlierCount.external(status: 200).next(after: none).word == 0)
    #expect(OutlierCount.localOriginSuccess.next(after: none).word == 0)
  }

  @Test func fullCountsStayAndSpillNothing() {
    let most = UInt64(Self.countMax)
    let full = Self.word(most, most, most)
    #expect(full.counting(status: 503) == full)
    #expect(full.countingLocalOriginFailure() == full)
    #expect(Self.word(most - 1, 0, 0).counting(status: 500) == Self.word(most, 0, 0))
    #expect(Self.word(most, 5, 6).counting(status: 503) == Self.word(most, 6, 6))
    #expect(Self.word(0, most, 6).counting(status: 503) == Self.word(1, most, 6))
  }

  @Test func resetting() {
    let streaks = Self.word(1, 2, 3)
    #expect(streaks.resetting(.consecutive5xx) == Self.word(0, 2, 3))
    #expect(streaks.resetting(.gatewayFailure) == Self.word(1, 0, 3))
    #expect(streaks.resetting(.localOriginFailure) == Self.word(1, 2, 0))
    #expect(streaks.resetting([]) == streaks)
    #expect(streaks.resetting(.all).word == 0)
  }

  @Test func eachThresholdIsReachedOnce() {
    let thresholds = StreakThresholds(consecutive5xx: 3, gatewayFailure: 2, localOriginFailure: 1)
    var streaks = ConsecutiveFailures()
    var told: [Streaks] = []
    for count in [
      .external(status: 503), .external(status: 503), .external(status: 503), .external(status: 503),
      .external(status: 200), .external(status: 503), .external(status: 500), .external(status: 503),
      .localOriginFailure, .localOriginFailure, .localOriginSuccess, .localOriginFailure,
    ] as [OutlierCount] {
      let next = count.next(after: streaks)
      told.append(next.reached(thresholds, from: streaks))
      streaks = next
    }
    #expect(
      told == [
        [], .gatewayFailure, .consecutive5xx, [], [], [], [], .consecutive5xx, .localOriginFailure, [], [],
        .localOriginFailure,
      ])
  }

  @Test func thresholdsReachedTogether() {
    let thresholds = StreakThresholds(consecutive5xx: 1, gatewayFailure: 1, localOriginFailure: 1)
    let next = ConsecutiveFailures().counting(status: 502)
    #expect(next.reached(thresholds, from: ConsecutiveFailures()) == [.consecutive5xx, .gatewayFailure])
  }

  /// 0 is never: not when a count grows, and not when it falls to it.
  @Test func thresholdOfZero() {
    let thresholds = StreakThresholds(consecutive5xx: 0, gatewayFailure: 0, localOriginFailure: 0)
    var streaks = Self.word(1, 1, 1)
    for count in [
      .external(status: 500), .external(status: 200), .external(status: 503), .external(status: 500),
      .localOriginFailure, .localOriginSuccess,
    ] as [OutlierCount] {
      let next = count.next(after: streaks)
      #expect(next.reached(thresholds, from: streaks) == [])
      streaks = next
    }
  }

  /// A threshold above the largest count is the largest, and is reached once.
  @Test func hugeThresholds() {
    let thresholds = StreakThresholds(
      consecutive5xx: .max, gatewayFailure: .max - 1, localOriginFailure: Self.countMax + 1)
    #expect(thresholds.consecutive5xx == Self.countMax)
    let most = UInt64(Self.countMax)
    let before = Self.word(most - 1, most - 1, most - 1)
    let after = before.counting(status: 503).countingLocalOriginFailure()
    #expect(after.reached(thresholds, from: before) == .all)
    let further = after.counting(status: 503).countingLocalOriginFailure()
    #expect(further.reached(thresholds, from: after) == [])
  }

  @Test func randomRowsAgainstCounters() {
    var random = FastRandom(seed: 7)
    let statuses: [UInt16] = [200, 404, 500, 502, 503, 504, 503, 503]
    for _ in 0..<200 {
      let thresholds = StreakThresholds(
        consecutive5xx: random.below(6), gatewayFailure: random.below(6), localOriginFailure: random.below(6))
      var streaks = ConsecutiveFailures()
      var serverErrors: UInt32 = 0
      var gateway: UInt32 = 0
      var local: UInt32 = 0
      for _ in 0..<200 {
        var expected: Streaks = []
        let count: OutlierCount
        switch random.below(4) {
        case 0:
          count = .localOriginFailure
          local += 1
          if local == thresholds.localOriginFailure { expected.insert(.localOriginFailure) }
        case 1 where random.below(3) == 0:
          count = .localOriginSuccess
          local = 0
        default:
          let status = statuses[Int(random.below(8))]
          count = .external(status: status)
          if status >= 500 {
            serverErrors += 1
            if serverErrors == thresholds.consecutive5xx { expected.insert(.consecutive5xx) }
            if status != 500 {
              gateway += 1
              if gateway == thresholds.gatewayFailure { expected.insert(.gatewayFailure) }
            } else {
              gateway = 0
            }
          } else {
            serverErrors = 0
            gateway = 0
          }
        }
        let next = count.next(after: streaks)
        #expect(next == Self.word(UInt64(serverErrors), UInt64(gateway), UInt64(local)))
        #expect(next.reached(thresholds, from: streaks) == expected)
        streaks = next
      }
    }
  }

  private final class SharedWord: Sendable {
    let streaks = Atomic<UInt64>(0)
  }

  /// As workers use it: of all failures of all threads, each threshold is reached exactly once.
  @Test func sharedByThreads() async {
    let shared = SharedWord()
    let thresholds = StreakThresholds(
      consecutive5xx: 777, gatewayFailure: 1000, localOriginFailure: 40_001)
    let told = await withTaskGroup(of: [Streaks].self) { group in
      for _ in 0..<4 {
        group.addTask {
          var told: [Streaks] = []
          for _ in 0..<10_000 {
            var old = shared.streaks.load(ordering: .relaxed)
            while true {
              let before = ConsecutiveFailures(word: old)
              let after = before.counting(status: 503)
              let (isExchanged, current) = shared.streaks.compareExchange(
                expected: old, desired: after.word, ordering: .relaxed)
              if isExchanged {
                let reached = after.reached(thresholds, from: before)
                if !reached.isEmpty { told.append(reached) }
                break
              }
              old = current
            }
          }
          return told
        }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(Set(told) == [.consecutive5xx, .gatewayFailure])
    #expect(told.count == 2)
    #expect(shared.streaks.load(ordering: .relaxed) == 40_000 | 40_000 << 20)
  }
}
