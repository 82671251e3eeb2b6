import HostHealth
import Primitives
import Testing

@Suite struct LatencyTests {
  @Test func bounds() {
    #expect(
      (0...6).map(LatencyBuckets.lowerBound) == [0, 96, 128, 192, 256, 384, 512])
    #expect(LatencyBuckets.lowerBound(31) == 3_145_728)
    #expect(LatencyBuckets.lowerBound(32) == 4_194_304)
    #expect(LatencyBuckets.lowerBound(-1) == 0)
    #expect(LatencyBuckets.lowerBound(33) == 4_194_304)
    #expect(LatencyBuckets.count == 32)
  }

  @Test func cells() {
    for index in 1..<32 {
      let lower = LatencyBuckets.lowerBound(index)
      #expect(LatencyBuckets.index(microseconds: lower) == index)
      #expect(LatencyBuckets.index(microseconds: lower - 1) == index - 1)
    }
    for (time, index) in [
      (0, 0), (1, 0), (63, 0), (64, 0), (95, 0), (4_194_303, 31), (4_194_304, 31), (.max, 31),
    ] as [(UInt64, Int)] {
      #expect(LatencyBuckets.index(microseconds: time) == index)
    }
  }

  static func counts(_ cells: [Int: UInt64]) -> LatencyCounts {
    var counts = LatencyCounts()
    for (index, count) in cells { counts.add(count, at: index) }
    return counts
  }

  static func quantile(_ quantile: Double, _ cells: [Int: UInt64]) -> Double? {
    LatencyBuckets.quantileMilliseconds(quantile, of: counts(cells))
  }

  @Test func quantileIsInterpolated() {
    // Cell 2 is 128 to 192 us, cell 4 256 to 384.
    #expect(Self.quantile(0.5, [2: 10]) == 0.160)
    #expect(Self.close(Self.quantile(0.95, [2: 100]), 0.1888))
    #expect(Self.quantile(1, [2: 10]) == 0.192)
    #expect(Self.quantile(0, [2: 10]) == 0.128)
    #expect(Self.quantile(0.5, [2: 10, 4: 10]) == 0.192, "the end of the lower half")
    #expect(Self.quantile(0.75, [2: 10, 4: 10]) == 0.320)
    #expect(Self.quantile(0.5, [0: 8]) == 0.048)
    #expect(Self.quantile(1, [31: 1]) == 4194.304)
    #expect(Self.quantile(0.5, [:]) == nil)
    #expect(Self.quantile(2, [2: 1]) == 4194.304, "no such quantile, no trap")
  }

  @Test func countsKeepToTheirCells() {
    var counts = Self.counts([3: 5, 32: 7, -1: 7])
    #expect(counts.total == 5)
    #expect(counts[3] == 5)
    #expect(counts[4] == 0)
    #expect(counts[32] == 0)
    #expect(counts[-1] == 0)
    counts.add(.max, at: 3)
    counts.add(.max, at: 4)
    #expect(counts.total == .max)
    #expect(counts[3] == .max)
  }

  /// The quantile of many times is within the cell of the exact one.
  @Test func quantileOfRandomTimes() {
    var random = FastRandom(seed: 5)
    for _ in 0..<100 {
      let times = (0..<500).map { _ in UInt64(64) << UInt64(random.below(16)) + UInt64(random.below(50)) }
      var counts = LatencyCounts()
      for time in times { counts.add(1, at: LatencyBuckets.index(microseconds: time)) }
      for (quantile, rank) in [(0.5, 250), (0.95, 475)] {
        let exact = times.sorted()[rank - 1]
        let index = LatencyBuckets.index(microseconds: exact)
        let found = (LatencyBuckets.quantileMilliseconds(quantile, of: counts) ?? -1) * 1000
        #expect(found >= Double(LatencyBuckets.lowerBound(index)) - 1e-6)
        #expect(found <= Double(LatencyBuckets.lowerBound(index + 1)) + 1e-6)
      }
    }
  }

  /// 100 answers in one cell: the quantile is known.
  static func host(cell: Int, answers: UInt64 = 100) -> LatencyCounts { counts([cell: answers]) }

  /// Median and threshold, and which hosts are outliers.
  static func judge(
    _ hosts: [LatencyCounts], _ change: (inout LatencySettings) -> Void = { _ in }
  ) -> (LatencyOutliers, [Bool]) {
    var settings = LatencySettings()
    change(&settings)
    var outliers = LatencyOutliers(settings)
    outliers.begin(hostCount: hosts.count)
    let quantiles = hosts.map { outliers.add($0) }
    outliers.finish()
    return (outliers, quantiles.map { $0.map(outliers.isOutlier) ?? false })
  }

  static func close(_ value: Double?, _ expected: Double) -> Bool { abs((value ?? -1) - expected) < 1e-9 }

  /// Cell 12 is 4.096 to 6.144 ms (P50 5.12), cell 16 is 16.384 to 24.576 ms (P50 20.48).
  @Test func oneOfFiveIsSlow() {
    let hosts = [12, 12, 16, 12, 12].map { Self.host(cell: $0) }
    let (outliers, verdicts) = Self.judge(hosts) { $0.quantile = .p50 }
    #expect(Self.close(outliers.medianMilliseconds, 5.12))
    // MAD is 0, so a twentieth of the median stands for it.
    let limit = 5.12 + 5 * 1.4826 * 0.05 * 5.12
    #expect(Self.close(outliers.thresholdMilliseconds, max(limit, 10.24)))
    #expect(verdicts == [false, false, true, false, false])
  }

  /// P50 5.12, 7.168, 10.24, 14.336, 81.92 ms: median 10.24, distances 0, 3.072, 4.096, 5.12, 71.68.
  @Test func deviationOfFive() {
    let hosts = [12, 13, 14, 15, 20].map { Self.host(cell: $0) }
    let (outliers, verdicts) = Self.judge(hosts) { $0.quantile = .p50 }
    #expect(Self.close(outliers.medianMilliseconds, 10.24))
    #expect(Self.close(outliers.thresholdMilliseconds, 10.24 + 5 * 1.4826 * 4.096))
    #expect(verdicts == [false, false, false, false, true])
    let (_, lenient) = Self.judge(hosts) {
      $0.quantile = .p50
      $0.deviationFactor = 12
    }
    #expect(lenient == [false, false, false, false, false])
  }

  /// An even number: the median is the mean of the middle two.
  @Test func deviationOfSix() {
    let hosts = [12, 12, 12, 13, 20, 20].map { Self.host(cell: $0) }
    let (outliers, _) = Self.judge(hosts) { $0.quantile = .p50 }
    #expect(Self.close(outliers.medianMilliseconds, 6.144))
    // Distances 1.024 four times and 75.776 twice.
    #expect(Self.close(outliers.thresholdMilliseconds, 6.144 + 5 * 1.4826 * 1.024))
  }

  /// Two halves that differ: the deviation is as large as the difference, and nobody is guilty.
  @Test func twoModes() {
    for hostCount in [6, 10, 50] {
      let hosts = (0..<hostCount).map { Self.host(cell: $0 % 2 == 0 ? 12 : 24) }
      let (outliers, verdicts) = Self.judge(hosts)
      #expect(outliers.medianMilliseconds != nil)
      #expect(!verdicts.contains(true))
    }
  }

  @Test func allEqual() {
    for cell in [0, 12, 31] {
      let (outliers, verdicts) = Self.judge(Array(repeating: Self.host(cell: cell), count: 5))
      #expect(outliers.medianMilliseconds != nil)
      #expect(verdicts == [false, false, false, false, false])
    }
  }

  @Test func tooFewHosts() {
    let hosts = [12, 12, 12, 24].map { Self.host(cell: $0) }
    let (outliers, verdicts) = Self.judge(hosts)
    #expect(outliers.medianMilliseconds == nil)
    #expect(outliers.thresholdMilliseconds == nil)
    #expect(verdicts == [false, false, false, false])
    #expect(Self.judge(hosts) { $0.minimumHosts = 4 }.1 == [false, false, false, true])
    #expect(Self.judge([]) { $0.minimumHosts = 0 }.0.medianMilliseconds == nil)
  }

  @Test func tooFewAnswers() {
    let slow = Self.host(cell: 24, answers: 99)
    let hosts = [12, 12, 12, 12, 12].map { Self.host(cell: $0) } + [slow]
    #expect(Self.judge(hosts).1.last == false)
    #expect(Self.judge(hosts) { $0.requestVolume = 99 }.1.last == true)
    let empty = LatencyCounts()
    #expect(Self.judge(hosts + [empty]) { $0.requestVolume = 0 }.1.last == false)
  }

  /// Each of the three conditions alone holds back.
  @Test func conditions() {
    // P50 0.048 and 0.16 ms: a host that takes three times as long is not slow in absolute terms.
    let fast = [0, 0, 0, 0, 2].map { Self.host(cell: $0) }
    let p50: (inout LatencySettings) -> Void = { $0.quantile = .p50 }
    #expect(Self.judge(fast, p50).1.last == false)
    #expect(
      Self.judge(fast) {
        $0.quantile = .p50
        $0.minimumLatencyMilliseconds = 0.16
      }.1.last == true, "at the minimum")
    // P50 20.48 and 28.672 ms: many deviations, but not twice the median.
    let close = [16, 16, 16, 16, 17].map { Self.host(cell: $0) }
    #expect(Self.judge(close, p50).1.last == false)
    #expect(
      Self.judge(close) {
        $0.quantile = .p50
        $0.minimumRatio = 1.4
      }.1.last == true, "at the ratio, within rounding")
    #expect(
      Self.judge(close) {
        $0.quantile = .p50
        $0.minimumRatio = 1.4
        $0.deviationFactor = 6
      }.1.last == false, "1.44 times the median")
  }

  @Test func thresholdSaysWhatHeldBack() {
    let hosts = [0, 0, 0, 0, 0].map { Self.host(cell: $0) }
    #expect(Self.judge(hosts).0.thresholdMilliseconds == 10)
    #expect(
      Self.close(
        Self.judge(hosts) {
          $0.quantile = .p50
          $0.minimumLatencyMilliseconds = 0
        }.0.thresholdMilliseconds, 0.096))
  }

  /// A tail is seen by P95 only.
  @Test func tail() {
    let tail = Self.counts([12: 90, 24: 10])
    let hosts = [12, 12, 12, 12].map { Self.host(cell: $0) } + [tail]
    #expect(Self.judge(hosts).1 == [false, false, false, false, true])
    #expect(Self.judge(hosts) { $0.quantile = .p50 }.1 == [false, false, false, false, false])
  }

  @Test func defaults() {
    let settings = LatencySettings()
    #expect(settings.quantile == .p95)
    #expect(settings.deviationFactor == 5)
    #expect(settings.minimumRatio == 2)
    #expect(settings.minimumLatencyMilliseconds == 10)
    #expect(settings.requestVolume == 100)
    #expect(settings.minimumHosts == 5)
    #expect(settings.enforcing == 100)
  }

  @Test func nothingIsLeftOfTheLastSweep() {
    var outliers = Self.judge([12, 12, 12, 12, 24].map { Self.host(cell: $0) }).0
    #expect(outliers.isOutlier(quantileMilliseconds: 1000))
    outliers.begin(hostCount: 5)
    #expect(outliers.medianMilliseconds == nil)
    #expect(outliers.thresholdMilliseconds == nil)
    #expect(!outliers.isOutlier(quantileMilliseconds: 1000))
    outliers.finish()
    #expect(outliers.medianMilliseconds == nil)
  }

  /// Numbers that make no sense eject nobody.
  @Test func hostileNumbers() {
    let hosts = [12, 12, 12, 12, 24].map { Self.host(cell: $0) }
    for hostile in [Double.nan, .infinity] {
      #expect(Self.judge(hosts) { $0.deviationFactor = hostile }.1.last == false)
      #expect(Self.judge(hosts) { $0.minimumRatio = hostile }.1.last == false)
      #expect(Self.judge(hosts) { $0.minimumLatencyMilliseconds = hostile }.1.last == false)
    }
    #expect(Self.judge(hosts) { $0.minimumHosts = .max }.1.last == false)
    var outliers = LatencyOutliers(LatencySettings())
    outliers.begin(hostCount: -1)
  }
}
