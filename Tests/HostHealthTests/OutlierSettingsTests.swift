import HostHealth
import Testing

@Suite struct OutlierSettingsTests {
  @Test func defaultsAreEnvoys() {
    let settings = OutlierSettings()
    #expect(settings.interval == 10_000)
    #expect(settings.baseEjectionTime == 30_000)
    #expect(settings.maxEjectionTime == 300_000)
    #expect(settings.maxEjectionTimeJitter == 0)
    #expect(settings.maxEjectionPercent == 10)
    #expect(!settings.alwaysEjectsOneHost)
    #expect(settings.unejectsOnPassedCheck)
    #expect(!settings.splitsLocalOrigin)
    #expect(
      settings.streakThresholds
        == StreakThresholds(consecutive5xx: 5, gatewayFailure: 5, localOriginFailure: 5))
    #expect(settings.successRateMinimumHosts == 5)
    #expect(settings.successRateRequestVolume == 100)
    #expect(settings.successRateStdevFactor == 1900)
    #expect(settings.failurePercentageThreshold == 85)
    #expect(settings.failurePercentageMinimumHosts == 5)
    #expect(settings.failurePercentageRequestVolume == 50)
    #expect(settings.latency == nil)
    #expect(OutlierSettings(baseEjectionTime: 400_000).maxEjectionTime == 400_000)
    #expect(OutlierSettings(baseEjectionTime: 1, maxEjectionTime: 2).maxEjectionTime == 2)
  }

  struct Kind: Sendable, CustomTestStringConvertible {
    let kind: EjectionKind
    let word: String
    let statName: String
    let enforcing: UInt32
    var testDescription: String { word }
    init(_ kind: EjectionKind, _ word: String, _ statName: String, enforcing: UInt32) {
      self.kind = kind
      self.word = word
      self.statName = statName
      self.enforcing = enforcing
    }
  }

  static let kinds = [
    Kind(.consecutive5xx, "CONSECUTIVE_5XX", "consecutive_5xx", enforcing: 100),
    Kind(
      .consecutiveGatewayFailure, "CONSECUTIVE_GATEWAY_FAILURE", "consecutive_gateway_failure",
      enforcing: 0),
    Kind(
      .consecutiveLocalOriginFailure, "CONSECUTIVE_LOCAL_ORIGIN_FAILURE",
      "consecutive_local_origin_failure", enforcing: 100),
    Kind(.successRate, "SUCCESS_RATE", "success_rate", enforcing: 100),
    Kind(
      .localOriginSuccessRate, "SUCCESS_RATE_LOCAL_ORIGIN", "local_origin_success_rate", enforcing: 100),
    Kind(.failurePercentage, "FAILURE_PERCENTAGE", "failure_percentage", enforcing: 0),
    Kind(
      .localOriginFailurePercentage, "FAILURE_PERCENTAGE_LOCAL_ORIGIN", "local_origin_failure_percentage",
      enforcing: 0),
    Kind(.latency, "LATENCY", "latency", enforcing: 100),
  ]

  @Test(arguments: kinds)
  func kind(_ row: Kind) {
    #expect("\(row.kind.word)" == row.word)
    #expect("\(row.kind.statName)" == row.statName)
    var settings = OutlierSettings()
    settings.latency = LatencySettings()
    #expect(settings.enforcingPercent(row.kind) == row.enforcing)
    #expect(row.kind.isInDeprecatedTotal == (row.kind == .consecutive5xx || row.kind == .successRate))
  }

  @Test func everyKindHasItsOwnPercentage() {
    var settings = OutlierSettings()
    settings.enforcingConsecutive5xx = 1
    settings.enforcingConsecutiveGatewayFailure = 2
    settings.enforcingConsecutiveLocalOriginFailure = 3
    settings.enforcingSuccessRate = 4
    settings.enforcingLocalOriginSuccessRate = 5
    settings.enforcingFailurePercentage = 6
    settings.enforcingLocalOriginFailurePercentage = 7
    #expect(EjectionKind.allCases.map(settings.enforcingPercent) == [1, 2, 3, 4, 5, 6, 7, 0])
    settings.latency = LatencySettings()
    settings.latency?.enforcing = 8
    #expect(settings.enforcingPercent(.latency) == 8)
  }

  @Test func everyStreakHasItsOwnThreshold() {
    var settings = OutlierSettings()
    settings.consecutive5xx = 1
    settings.consecutiveGatewayFailure = 2
    settings.consecutiveLocalOriginFailure = 3
    #expect(
      settings.streakThresholds
        == StreakThresholds(consecutive5xx: 1, gatewayFailure: 2, localOriginFailure: 3))
  }
}
