import HTTPCore
import HostHealth
import Synchronization

/// What filters may know of the worker and its configuration.
extension Worker {
  /// `/healthcheck/fail` was called.
  public var failsHealthChecks: Bool {
    environment.flags.failsHealthChecks.load(ordering: .relaxed)
  }

  /// How many hosts a cluster has, and how many of them are healthy or degraded.
  ///
  /// - Returns: Nil when there is no cluster in `slot`.
  public func membership(ofCluster slot: UInt32) -> (total: Int, healthy: Int)? {
    guard Int(slot) < clusters.count, let cluster = clusters[Int(slot)] else { return nil }
    let counts = cluster.pointee.set.pointee.counts
    return (counts.total, counts.healthy &+ counts.degraded)
  }
}
