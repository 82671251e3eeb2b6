import ConfigLoader

/// What the command line asks of a run.
public struct ServerOptions: Sendable {
  public var configPath: String?
  /// Merged over the file.
  public var configYAML: String?
  /// Without a file: the whole configuration.
  public var quickYAML: String?
  /// Workers; nil = one a core.
  public var concurrency: Int?
  public var logLevel = "info"
  public var logPath: String?
  public var serviceCluster = ""
  public var serviceNode = ""
  public var serviceZone = ""
  public var drainSeconds: UInt64 = 600
  public var adminAddressPath: String?
  public var fileFlushIntervalMilliseconds: UInt64 = 10_000
  /// Histograms go to statsd as single values (`|ms`) rather than as quantiles of the interval: at
  /// most this many a histogram and flush, sampled (`|@rate`) above; nil = quantiles.
  public var statsdTimersMax: Int?
  /// Connections go to the least loaded worker; false = to the one whose socket the kernel chose.
  public var balancesConnections = true
  /// TLS connections stay in the library's hands: to compare with.
  public var keepsTLSAttached = false
  /// The command line as it was, for /server_info.
  public var arguments: [String] = []

  public init() {}

  /// The texts to load, in the order in which they are merged.
  public func sources() throws(Diagnostic) -> [ConfigurationSource] {
    var list: [ConfigurationSource] = []
    if let configPath { list.append(try ConfigurationSource(path: configPath)) }
    if let quickYAML { list.append(ConfigurationSource(name: "--listen/--upstream", text: quickYAML)) }
    if let configYAML { list.append(ConfigurationSource(name: "--config-yaml", text: configYAML)) }
    return list
  }
}
