import Primitives
import Stats

/// What happens to the bytes of a connection: checks when it is accepted, then one terminal filter.
public struct FilterChainConfig {
  public enum Terminal {
    case http(Frozen<HTTPConnectionManagerConfig>)
    case tcpProxy(Frozen<TCPProxyConfig>)
    /// Writes the bytes and closes.
    case directResponse(FrozenText)
  }

  /// `envoy.filters.network.connection_limit`: counted over all workers.
  public struct ConnectionLimit {
    public var limiter: ConnectionLimiter
    public var max: UInt32
    /// Over the limit, connections are held this long before they are closed.
    public var delayNanoseconds: UInt64
    public var limited: Counter
    public var active: Gauge

    public init(
      limiter: ConnectionLimiter, max: UInt32, delayNanoseconds: UInt64, limited: Counter,
      active: Gauge
    ) {
      self.limiter = limiter
      self.max = max
      self.delayNanoseconds = delayNanoseconds
      self.limited = limited
      self.active = active
    }
  }

  public var name: FrozenText
  public var connectionLimits: FrozenList<ConnectionLimit>
  /// TLS in front of it; nil = plain.
  public var transport: TLSTransport?
  public let terminal: Terminal
  /// What `terminal` holds, without reference counts: one of them, or neither.
  let manager: UnsafeMutablePointer<HTTPConnectionManagerConfig>?
  let tcpProxy: UnsafeMutablePointer<TCPProxyConfig>?

  public init(name: String, connectionLimits: [ConnectionLimit], terminal: Terminal) {
    self.name = FrozenText(name)
    self.connectionLimits = FrozenList(connectionLimits)
    self.terminal = terminal
    if case .http(let frozen) = terminal { manager = frozen.pointer } else { manager = nil }
    if case .tcpProxy(let frozen) = terminal { tcpProxy = frozen.pointer } else { tcpProxy = nil }
  }
}

/// How many connections of a `connection_limit` filter are open, over all workers.
public final class ConnectionLimiter: Sendable {
  public let count = ClusterShared.Limit()
  public init() {}
}
