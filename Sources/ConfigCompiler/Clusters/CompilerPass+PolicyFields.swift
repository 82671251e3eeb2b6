import Balancing
import ConfigSchema
import Proxy
import SwiftProtobuf

/// What both forms of a balancing policy say.
extension CompilerPass {
  func setLeastRequest(
    _ settings: inout BalanceSettings, _ choices: UInt32?, _ bias: Envoy_Config_Core_V3_RuntimeDouble?, _ path: String
  ) {
    settings.policy = .leastRequest
    var value = 1.0
    if let bias {
      value = bias.defaultValue
      if !(value >= 0 && value.isFinite) {
        error("\(path).active_request_bias.default_value", "must be a number of at least 0, got \(value)")
        value = 1
      }
      value =
        runtimeValue(bias.runtimeKey, "number of at least 0") { layers, key in
          layers.number(key).flatMap { $0 >= 0 && $0.isFinite ? $0 : nil }
        } ?? value
    }
    settings.leastRequest = LeastRequest(choiceCount: choices ?? 2, activeRequestBias: value)
  }

  func setRing(
    _ settings: inout BalanceSettings, _ minimum: UInt64?, _ maximum: UInt64?, usesMurmur: Bool, _ path: String
  ) {
    settings.policy = .ringHash
    settings.hashing.function = usesMurmur ? .murmurHash2 : .xxHash
    let smallest = minimum ?? settings.hashing.ringMinimum
    let largest = maximum ?? settings.hashing.ringMaximum
    settings.hashing.ringMinimum = smallest
    settings.hashing.ringMaximum = largest
    if smallest > largest {
      error(
        path,
        "minimum_ring_size (\(smallest)\(minimum == nil ? ", the default" : "")) is larger than maximum_ring_size (\(largest))")
    }
  }

  func setMaglev(_ settings: inout BalanceSettings, _ size: UInt64?, _ path: String) {
    settings.policy = .maglev
    guard let size else { return }
    // The schema bounds it.
    let small = UInt32(truncatingIfNeeded: min(size, UInt64(MaglevTable.sizeMax)))
    guard MaglevTable.isPrime(small) else {
      error(
        "\(path).table_size",
        "must be a prime number, got \(size); \(MaglevTable.prime(atLeast: small)) is one")
      return
    }
    settings.hashing.tableSize = small
  }

  func setSlowStart(_ settings: inout BalanceSettings, _ proto: Envoy_Config_Cluster_V3_Cluster.SlowStartConfig?, _ path: String) {
    guard let proto else { return }
    setSlowStart(
      &settings, window: proto.hasSlowStartWindow ? proto.slowStartWindow : nil,
      aggression: proto.hasAggression ? proto.aggression : nil,
      minimum: proto.hasMinWeightPercent ? proto.minWeightPercent : nil, "\(path).slow_start_config")
  }

  func setSlowStart(_ settings: inout BalanceSettings, _ proto: Envoy_Extensions_LoadBalancingPolicies_Common_V3_SlowStartConfig?, _ path: String) {
    guard let proto else { return }
    setSlowStart(
      &settings, window: proto.hasSlowStartWindow ? proto.slowStartWindow : nil,
      aggression: proto.hasAggression ? proto.aggression : nil,
      minimum: proto.hasMinWeightPercent ? proto.minWeightPercent : nil, "\(path).slow_start_config")
  }

  private func setSlowStart(
    _ settings: inout BalanceSettings, window: Google_Protobuf_Duration?, aggression: Envoy_Config_Core_V3_RuntimeDouble?,
    minimum: Envoy_Type_V3_Percent?, _ path: String
  ) {
    guard let window else {
      ignore(path, "has no effect without slow_start_window")
      return
    }
    // Envoy counts whole milliseconds.
    let nanoseconds = nanoseconds(window, "\(path).slow_start_window")
    func slowStart(aggression: Double) -> SlowStart? {
      SlowStart(window: nanoseconds, minimumPercent: minimum?.value ?? 10, aggression: aggression)
    }
    let wanted = aggression.flatMap {
      runtimeValue($0.runtimeKey, "number above 0") { $0.number($1).flatMap(slowStart) }
    }
    guard let configured = slowStart(aggression: aggression?.defaultValue ?? 1) else {
      error("\(path).aggression.default_value", "must be a number above 0, got \(aggression?.defaultValue ?? 0)")
      return
    }
    settings.slowStart = nanoseconds > 0 ? wanted ?? configured : nil
  }
}
