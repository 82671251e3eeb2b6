import ConfigLoader
import Primitives
import Proxy

/// What a valid configuration became.
public struct Compilation {
  public var snapshot: Snapshot
  /// About what was compiled anew: unchanged parts warn once.
  public var warnings: [Diagnostic]
  /// Where log lines go: `AccessLogList.Entry.target` is an index. Grows over reloads; an index
  /// never changes its meaning.
  public var logTargets: [LogTarget]
  public var admin: AdminSettings?
  public var sinks: [SinkSettings]
  /// `stats_flush_interval`.
  public var flushIntervalMilliseconds: Int
  public var removedListenerNames: [String]
  public var changes: Changes

  /// Names of what this configuration changed; for a log line.
  public struct Changes: Sendable, Equatable {
    public var listenersAdded: [String] = []
    public var listenersModified: [String] = []
    public var listenersRemoved: [String] = []
    /// Listeners of which only routes changed.
    public var routesModified: [String] = []
    public var clustersAdded: [String] = []
    public var clustersModified: [String] = []
    public var clustersRemoved: [String] = []
    public init() {}
    public var isEmpty: Bool { self == Changes() }
  }
}

public enum LogTarget: Sendable, Hashable {
  case file(path: String)
  /// Nobody else may read it.
  case privateFile(path: String)
  case standardOutput
  case standardError
}

/// `admin` of the bootstrap.
public struct AdminSettings {
  public var address: SocketAddress
  public var accessLogs: AccessLogList
}

/// One of `stats_sinks`.
public struct SinkSettings: Sendable, Equatable {
  public enum Destination: Sendable, Equatable {
    case udp(SocketAddress)
    /// `tcp_cluster_name`: the hosts of that cluster.
    case tcp(cluster: String, addresses: [SocketAddress])
  }

  public enum Dialect: Sendable, Equatable { case statsd, dogStatsd }

  public var destination: Destination
  public var dialect: Dialect
  public var prefix: String
  /// Nil when the configuration does not say.
  public var datagramBytesMax: Int?

  public init(
    destination: Destination, dialect: Dialect, prefix: String, datagramBytesMax: Int? = nil
  ) {
    self.destination = destination
    self.dialect = dialect
    self.prefix = prefix
    self.datagramBytesMax = datagramBytesMax
  }
}
