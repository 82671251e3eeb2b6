import HostHealth
import Proxy

/// A cluster with outlier detection, as the compiler has it.
public struct WatchedCluster {
  public let name: String
  public let settings: OutlierSettings
  public let stats: OutlierStats
  public let hosts: [Frozen<HostConfig>]
}
