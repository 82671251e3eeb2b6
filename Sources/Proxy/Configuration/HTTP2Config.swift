import HTTP2

/// HTTP/2 on one side: a connection manager's or a cluster's `http2_protocol_options`.
public struct HTTP2Config {
  /// Where pings are sent and what follows from silence; nanoseconds.
  public struct Keepalive: Sendable {
    public var interval: UInt64
    public var timeout: UInt64
    /// Of `interval`, 0...100.
    public var jitterPercent: UInt32 = 15
    /// A connection that was idle longer is tried with the next request; 0 = never.
    public var idleInterval: UInt64 = 0

    public init(interval: UInt64, timeout: UInt64) {
      self.interval = interval
      self.timeout = timeout
    }
  }

  public var options: HTTP2Options
  public var stats: HTTP2Stats
  public var keepalive: Keepalive?
  /// Frames that wait to be sent; more end the connection.
  public var outboundFramesMax: UInt32 = 10_000
  /// Of those, answers to what the peer sent.
  public var outboundControlFramesMax: UInt32 = 1000

  public init(options: HTTP2Options, stats: HTTP2Stats) {
    self.options = options
    self.stats = stats
  }
}
