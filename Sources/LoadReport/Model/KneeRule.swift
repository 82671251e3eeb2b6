/// Says which steps of a climbing run were sustained. The knee is the sustained step with the highest rate.
public struct KneeRule: Sendable, Equatable {
  /// A step that answers less than this part of what was due is not sustained.
  public var leastAchieved = 0.99
  /// What is on its way when a step ends is answered in the next one: the median latency's worth of requests. It is
  /// not missed, up to this part of the step.
  public var mostOnTheirWay = 0.05
  /// A step of whose requests more than this part failed is not sustained.
  public var mostErrors = 0.01
  /// A step whose p99 is more than this many times the lowest p99 of the steps with a lower rate is not sustained...
  public var mostLatencyGrowth = 10.0
  /// ...unless it is still at most this long.
  public var harmlessLatencyNanoseconds: UInt64 = 1_000_000

  public init() {}

  /// Sets ``Step/failure`` of each step.
  public func judge(_ steps: inout [Step]) {
    var lowestP99 = UInt64.max
    for index in steps.indices.sorted(by: { steps[$0].intendedRate < steps[$1].intendedRate }) {
      steps[index].failure = failure(of: steps[index], lowestP99: lowestP99)
      if steps[index].requests > 0 { lowestP99 = min(lowestP99, steps[index].latency.p99) }
    }
  }

  /// The index of the sustained step with the highest rate; nil when none is.
  public static func knee(of steps: [Step]) -> Int? {
    steps.indices.filter { steps[$0].isSustained }
      .max { steps[$0].intendedRate < steps[$1].intendedRate }
  }

  private func failure(of step: Step, lowestP99: UInt64) -> Step.Failure? {
    if step.errorFraction > mostErrors { return .errors }
    let onTheirWay = min(
      Double(step.latency.p50) / Double(max(1, step.durationNanoseconds)), mostOnTheirWay)
    let due = step.intendedRate * (1 - onTheirWay)
    if step.requests == 0 || step.achievedRate < due * leastAchieved { return .slow }
    let limit = max(Double(lowestP99) * mostLatencyGrowth, Double(harmlessLatencyNanoseconds))
    return Double(step.latency.p99) > limit ? .latency : nil
  }
}
