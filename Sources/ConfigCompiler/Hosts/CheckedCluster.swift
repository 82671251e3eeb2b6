import HostHealth
import Proxy
import Stats

/// A cluster with active checks, as the compiler has it.
public struct CheckedCluster {
  public struct Host {
    public let config: Frozen<HostConfig>
    /// `health_check_config.hostname`
    public let checkHostname: String
    /// `disable_active_health_check`: it counts as healthy.
    public let isCheckDisabled: Bool
    /// The checks' clusters have hosts of their own, at these places, by check.
    public let targets: [(index: Int, identity: UInt64)]

    public init(
      config: Frozen<HostConfig>, checkHostname: String, isCheckDisabled: Bool,
      targets: [(index: Int, identity: UInt64)]
    ) {
      self.config = config
      self.checkHostname = checkHostname
      self.isCheckDisabled = isCheckDisabled
      self.targets = targets
    }
  }

  public let name: String
  public let checks: [ActiveCheck]
  /// Changes with the checks' configuration.
  public let version: UInt64
  /// Slots of main's clusters for them.
  public let slots: [UInt32]
  public let stats: HealthCheckStats
  /// `upstream_cx_total`: whether there was ever traffic.
  public let connectionsTotal: Counter
  /// `ignore_new_hosts_until_first_hc`
  public let ignoresNewHosts: Bool
  /// `wait_for_warm_on_init`: nothing is served before its hosts were heard.
  public let waitsForWarm: Bool
  public let hosts: [Host]

  public init(
    name: String, checks: [ActiveCheck], version: UInt64, slots: [UInt32], stats: HealthCheckStats,
    connectionsTotal: Counter, ignoresNewHosts: Bool, waitsForWarm: Bool, hosts: [Host]
  ) {
    self.name = name
    self.checks = checks
    self.version = version
    self.slots = slots
    self.stats = stats
    self.connectionsTotal = connectionsTotal
    self.ignoresNewHosts = ignoresNewHosts
    self.waitsForWarm = waitsForWarm
    self.hosts = hosts
  }
}
