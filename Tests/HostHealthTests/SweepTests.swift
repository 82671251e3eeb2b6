import HostHealth
import Primitives
import Testing

@Suite struct SweepTests {
  /// Hosts with 100 results each and these success rates.
  static func hosts(_ rates: [UInt64]) -> [ResultCounts] {
    rates.map { ResultCounts(results: 100, failures: 100 - $0) }
  }

  static func sweep(_ hosts: [ResultCounts], _ settings: OutlierSettings = OutlierSettings()) -> Sweep {
    var sweep = Sweep(settings)
    sweep.begin(hostCount: hosts.count)
    for host in hosts { _ = sweep.add(host) }
    sweep.finish()
    return sweep
  }

  @Test func theExample() {
    let hosts = Self.hosts([50, 100, 100, 100, 100])
    let sweep = Self.sweep(hosts)
    #expect(sweep.average == 90)
    #expect(sweep.threshold == 52)
    #expect(hosts.map(sweep.verdict) == [.successRate, [], [], [], []])
  }

  /// A rate at the threshold is no outlier's.
  @Test func below() {
    let hosts = Self.hosts([50, 100, 100, 100, 100])
    var settings = OutlierSettings()
    settings.successRateStdevFactor = 2000
    let sweep = Self.sweep(hosts, settings)
    #expect(sweep.threshold == 50)
    #expect(hosts.map(sweep.verdict) == [[], [], [], [], []])
    settings.successRateStdevFactor = 1999
    #expect(hosts.map(Self.sweep(hosts, settings).verdict).first == .successRate)
  }

  @Test func allEqual() {
    for rate in [0, 42, 100] as [UInt64] {
      let hosts = Self.hosts([rate, rate, rate, rate, rate])
      let sweep = Self.sweep(hosts)
      #expect(sweep.average == Double(rate))
      #expect(sweep.threshold == Double(rate))
      #expect(!hosts.map(sweep.verdict).contains { $0.contains(.successRate) })
    }
  }

  @Test func tooFewHosts() {
    let hosts = Self.hosts([10, 100, 100, 100])
    #expect(Self.sweep(hosts).average == nil)
    #expect(Self.sweep(hosts).threshold == nil)
    #expect(hosts.map(Self.sweep(hosts).verdict) == [[], [], [], []])
    var settings = OutlierSettings()
    settings.successRateMinimumHosts = 4
    settings.successRateStdevFactor = 1000
    let sweep = Self.sweep(hosts, settings)
    #expect(sweep.average == 77.5)
    #expect(hosts.map(sweep.verdict) == [.successRate, [], [], []])
  }

  /// Hosts without volume are neither compared nor compared with.
  @Test func tooFewResults() {
    let idle = ResultCounts(results: 99, failures: 99)
    let hosts = Self.hosts([50, 100, 100, 100, 100]) + [idle, ResultCounts(results: 0, failures: 0)]
    let sweep = Self.sweep(hosts)
    #expect(sweep.threshold == 52)
    #expect(!sweep.verdict(idle).contains(.successRate))
    #expect(Self.sweep(Self.hosts([50, 100, 100, 100]) + [idle]).threshold == nil)
  }

  @Test func noHostsAndNoMinimum() {
    var settings = OutlierSettings()
    settings.successRateMinimumHosts = 0
    settings.failurePercentageMinimumHosts = 0
    settings.successRateRequestVolume = 0
    settings.failurePercentageRequestVolume = 0
    let none = ResultCounts(results: 0, failures: 0)
    let sweep = Self.sweep([none, none], settings)
    #expect(sweep.average == nil)
    #expect(sweep.verdict(none) == [])
    #expect(Self.sweep([], settings).average == nil)
  }

  struct Percentage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let results: UInt64
    let failures: UInt64
    let isOutlier: Bool
    init(_ name: String, _ failures: UInt64, of results: UInt64, _ isOutlier: Bool) {
      testDescription = name
      self.results = results
      self.failures = failures
      self.isOutlier = isOutlier
    }
  }

  /// Among hosts that are no better, so that no comparison helps.
  @Test(
    arguments: [
      Percentage("at the threshold", 85, of: 100, true),
      Percentage("below", 84, of: 100, false),
      Percentage("at the volume", 50, of: 50, true),
      Percentage("below the volume", 49, of: 49, false),
      Percentage("all", 1000, of: 1000, true),
      Percentage("more failures than results", 60, of: 55, true),
    ])
  func failurePercentage(_ row: Percentage) {
    let host = ResultCounts(results: row.results, failures: row.failures)
    let hosts = Array(repeating: ResultCounts(results: 50, failures: 50), count: 4) + [host]
    let sweep = Self.sweep(hosts)
    // The fifth host with volume makes the test possible; without it nobody is judged.
    let isPossible = row.results >= 50
    #expect(sweep.verdict(host) == (row.isOutlier ? .failurePercentage : []))
    #expect(sweep.verdict(hosts[0]) == (isPossible ? .failurePercentage : []))
  }

  @Test func guiltyOfBoth() {
    let hosts = Self.hosts([0, 100, 100, 100, 100])
    #expect(hosts.map(Self.sweep(hosts).verdict).first == [.successRate, .failurePercentage])
  }

  /// A rate is worth showing when it counts for one of the two, and any host can be judged at all.
  @Test func shownRates() {
    var sweep = Sweep(OutlierSettings())
    sweep.begin(hostCount: 5)
    #expect(sweep.add(ResultCounts(results: 49, failures: 1)) == nil)
    #expect(sweep.add(ResultCounts(results: 50, failures: 1)) == 98)
    #expect(sweep.add(ResultCounts(results: 200, failures: 1)) == 99.5)
    #expect(sweep.add(ResultCounts(results: 0, failures: 0)) == nil)
    sweep.begin(hostCount: 4)
    #expect(sweep.add(ResultCounts(results: 200, failures: 1)) == nil)
    var settings = OutlierSettings()
    settings.failurePercentageMinimumHosts = 4
    var other = Sweep(settings)
    other.begin(hostCount: 4)
    #expect(other.add(ResultCounts(results: 200, failures: 1)) == 99.5)
  }

  @Test func nothingIsLeftOfTheLastSweep() {
    var sweep = Self.sweep(Self.hosts([0, 100, 100, 100, 100]))
    sweep.begin(hostCount: 5)
    #expect(sweep.average == nil)
    #expect(sweep.threshold == nil)
    #expect(sweep.verdict(ResultCounts(results: 100, failures: 100)) == [])
    for host in Self.hosts([50, 100, 100, 100, 100]) { _ = sweep.add(host) }
    sweep.finish()
    #expect(sweep.average == 90)
    #expect(sweep.threshold == 52)
  }

  @Test func hugeCountsDoNotTrap() {
    let hosts = Array(repeating: ResultCounts(results: .max, failures: 1), count: 5)
    #expect(Self.sweep(hosts).average == 100)
    var settings = OutlierSettings()
    settings.successRateMinimumHosts = .max
    settings.successRateStdevFactor = .max
    settings.failurePercentageThreshold = .max
    #expect(hosts.map(Self.sweep(hosts, settings).verdict) == [[], [], [], [], []])
    var sweep = Sweep(settings)
    sweep.begin(hostCount: -1)
    sweep.finish()
  }

  /// Random clusters against the definition, written down literally.
  @Test func definition() {
    var random = FastRandom(seed: 11)
    var ejected = 0
    for _ in 0..<500 {
      var settings = OutlierSettings()
      settings.successRateMinimumHosts = random.below(8)
      settings.successRateRequestVolume = random.below(150)
      settings.successRateStdevFactor = random.below(3000)
      settings.failurePercentageMinimumHosts = random.below(8)
      settings.failurePercentageRequestVolume = random.below(150)
      settings.failurePercentageThreshold = random.below(101)
      let hosts = (0..<random.below(20)).map { _ in
        let results = UInt64(random.below(200))
        return ResultCounts(results: results, failures: results * UInt64(random.below(101)) / 100)
      }
      let sweep = Self.sweep(hosts, settings)

      func rate(_ host: ResultCounts) -> Double {
        100 * Double(host.results - host.failures) / Double(host.results)
      }
      let compared = hosts.filter {
        $0.results > 0 && $0.results >= settings.successRateRequestVolume
      }
      let judged = hosts.filter {
        $0.results > 0 && $0.results >= settings.failurePercentageRequestVolume
      }
      var threshold: Double?
      if !compared.isEmpty, compared.count >= settings.successRateMinimumHosts {
        let mean = compared.map(rate).reduce(0, +) / Double(compared.count)
        let squares = compared.map { (rate($0) - mean) * (rate($0) - mean) }
        let deviation = (squares.reduce(0, +) / Double(compared.count)).squareRoot()
        threshold = mean - deviation * (Double(settings.successRateStdevFactor) / 1000)
        #expect(abs((sweep.average ?? -1) - mean) < 1e-9)
      } else {
        #expect(sweep.average == nil)
      }
      #expect((sweep.threshold == nil) == (threshold == nil))
      #expect(abs((sweep.threshold ?? 0) - (threshold ?? 0)) < 1e-9)
      for host in hosts {
        var verdict: SweepVerdict = []
        if host.results > 0 {
          if let threshold, host.results >= settings.successRateRequestVolume {
            // A tie of the two ways to calculate it is neither right nor wrong.
            if abs(rate(host) - threshold) < 1e-9 { continue }
            if rate(host) < threshold { verdict.insert(.successRate) }
          }
          if host.results >= settings.failurePercentageRequestVolume,
            judged.count >= settings.failurePercentageMinimumHosts,
            100 - rate(host) >= Double(settings.failurePercentageThreshold)
          {
            verdict.insert(.failurePercentage)
          }
        }
        if !verdict.isEmpty { ejected += 1 }
        #expect(sweep.verdict(host) == verdict)
      }
    }
    #expect(ejected > 100, "the clusters were too well")
  }
}
