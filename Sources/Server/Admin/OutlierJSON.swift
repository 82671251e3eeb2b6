import HostHealth
import Upstreams

/// What `/clusters?format=json` says of outlier detection beyond Envoy's message. What is not known is left out.
enum OutlierJSON {
  /// - Parameter latency: Nil where slow hosts are not looked for.
  static func cluster(_ rates: OutlierRates, _ latency: (median: Double?, threshold: Double?)?) -> JSONValue {
    var fields: [JSONValue.Field] = []
    func add(_ name: String, _ value: String?) {
      if let value { fields.append(.init(name, .number(value))) }
    }
    add("success_rate_average", rates.external.average.map { RateText.exact($0) })
    add("local_origin_success_rate_average", rates.local.average.map { RateText.exact($0) })
    add("latency_median_ms", latency?.median.map { "\(MillisecondText($0))" })
    add("latency_ejection_threshold_ms", latency?.threshold.map { "\(MillisecondText($0))" })
    return .object(fields)
  }

  static func host(_ facts: OutlierFacts) -> JSONValue {
    var fields: [JSONValue.Field] = [
      .init("ejected", .bool(facts.ejection != nil)), .init("ejections", .number(UInt64(facts.latestEjection?.count ?? 0))),
    ]
    if let ejection = facts.latestEjection {
      fields += [
        .init("detector", .string("\(ejection.kind.statName)")), .init("reason", .string(ejection.reason)),
        .init("ejected_seconds_ago", .seconds(milliseconds: ejection.begunMillisecondsAgo)),
      ]
      if let ended = ejection.endedMillisecondsAgo {
        fields.append(.init("ended_seconds_ago", .seconds(milliseconds: ended)))
      } else {
        fields.append(.init("ends_in_seconds", .seconds(milliseconds: ejection.millisecondsLeft)))
      }
    }
    if let latency = facts.latencyMilliseconds { fields.append(.init("latency_ms", .number("\(MillisecondText(latency))"))) }
    return .object(fields)
  }
}
