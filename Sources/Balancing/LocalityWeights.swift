/// Weights of localities (`locality_weighted_lb_config`), by which a ``DeadlineSchedule`` takes
/// turns among the localities of a level.
public enum LocalityWeights {
  /// A locality's weight, less when few of its hosts are up. 0: it takes no part.
  ///
  /// weight * min(1, factor / 100 * available / (total - excluded))
  ///
  /// Source: Envoy `locality_wrr.cc` (`effectiveLocalityWeight`).
  ///
  /// - Parameters:
  ///   - weight: As configured; 0 when absent.
  ///   - available: Healthy hosts, or degraded ones for the schedule of those.
  ///   - factor: Overprovisioning, percent.
  public static func effective(
    weight: UInt32, available: UInt32, total: UInt32, excluded: UInt32, factor: UInt32 = 140
  ) -> Double {
    guard total > excluded else { return 0 }
    let ratio = 1.0 * Double(available) / Double(total - excluded)
    return Double(weight) * min(1.0, Double(factor) / 100.0 * ratio)
  }

  /// A locality's weight inside a subset with `scale_locality_weight`: in proportion to the hosts
  /// that the subset has of it, rounded to the nearest.
  ///
  /// Source: Envoy `subset_lb.cc` (`determineLocalityWeights`), in double precision.
  public static func scaled(weight: UInt32, subsetHosts: UInt32, totalHosts: UInt32) -> UInt32 {
    guard totalHosts > 0 else { return 0 }
    let part = Double(weight) * Double(min(subsetHosts, totalHosts)) / Double(totalHosts)
    return UInt32(part.rounded())
  }
}
