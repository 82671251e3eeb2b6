import Proxy
import Stats

/// A cluster as those see it who show how much of its limits is used.
public struct LimitedCluster {
  public let name: String
  public let config: Frozen<ClusterConfig>
  public let remaining: RemainingGauges
}

/// `circuit_breakers.<priority>.remaining_*`, where these are wanted.
public struct RemainingGauges {
  public let normal, high: ClusterStats.RemainingStats?

  /// - Parameter previous: Gauges of the same scope.
  init(_ plan: ClusterPlan, _ scope: StatsScope, _ previous: RemainingGauges?) {
    normal = plan.normalLimits.tracksRemaining
      ? previous?.normal ?? ClusterStats.RemainingStats(scope, isHigh: false) : nil
    high = plan.highLimits.tracksRemaining
      ? previous?.high ?? ClusterStats.RemainingStats(scope, isHigh: true) : nil
  }
}

extension SnapshotCompiler {
  public var limitedClusters: [LimitedCluster] {
    state.clusters.sorted { $0.key < $1.key }.map {
      LimitedCluster(name: $0.key, config: $0.value.frozen, remaining: $0.value.remaining)
    }
  }
}
