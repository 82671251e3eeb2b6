import ConfigCompiler
import HostHealth
import Proxy
import Stats

/// The hosts of a cluster with active checks.
final class ClusterChecks {
  let name: String
  var version: UInt64
  var checks: [ActiveCheck]
  let stats: HealthCheckStats
  var connectionsTotal: Counter
  var hosts: [UInt32: CheckedHost] = [:]
  private(set) var healthyCount = 0
  /// Of the healthy ones.
  private(set) var degradedCount = 0

  func count(_ flags: HostFlags) { add(1, flags) }
  func forget(_ flags: HostFlags) { add(-1, flags) }

  private func add(_ number: Int, _ flags: HostFlags) {
    if flags.contains(.failedActiveCheck) { return }
    healthyCount += number
    if flags.contains(.degradedActiveCheck) { degradedCount += number }
  }

  init(_ cluster: CheckedCluster) {
    name = cluster.name
    version = cluster.version
    checks = cluster.checks
    stats = cluster.stats
    connectionsTotal = cluster.connectionsTotal
  }
}

/// A host under all checks of its cluster.
final class CheckedHost {
  let number: UInt32
  var config: Frozen<HostConfig>
  unowned let cluster: ClusterChecks
  var combined: CombinedChecks
  var sessions: [CheckSession] = []
  /// False once it has left the cluster.
  var isChecked = true

  init(_ number: UInt32, _ config: Frozen<HostConfig>, _ cluster: ClusterChecks, combined: CombinedChecks) {
    self.number = number
    self.config = config
    self.cluster = cluster
    self.combined = combined
  }

  /// Every check has a result.
  var isHeard: Bool { sessions.allSatisfy { !$0.state.isNew } }

  func stop() {
    isChecked = false
    for session in sessions { session.stop() }
  }
}
