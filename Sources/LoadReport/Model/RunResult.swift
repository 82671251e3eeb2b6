/// All that is known about one run when it is over.
public struct RunResult: Sendable, Equatable {
  /// What tells this run from others in a comparison.
  public var label: String
  /// The URL or address that the load went to.
  public var target: String
  /// The command that was run, for someone who wants to run it again; may be empty.
  public var command = ""
  public var mode: LoadMode
  public var connections: Int
  public var threads: Int
  /// What connections spoke, as "HTTP/1.1", "HTTP/2", "gRPC" or "TCP"; empty when it is not known.
  public var protocolName = ""
  /// Requests on their way at once on one connection of HTTP/1.
  public var pipelining = 1
  /// The same of HTTP/2.
  public var streams = 1
  /// Wall clock at the start of the measured part, seconds since 1970-01-01 UTC.
  public var startUnixSeconds: UInt64
  /// Length of the measured part.
  public var durationNanoseconds: UInt64
  /// Before the measured part; counted nowhere.
  public var warmUpNanoseconds: UInt64

  public var tally = Tally()
  /// From when a request should have been sent (open loop) or was sent (closed loop) until its answer was whole.
  /// Whole answers only, expected or not.
  public var latency = LatencyHistogram()
  /// From when the request was really sent until its answer was whole. The same as `latency` in closed loop, where
  /// it may be left empty.
  public var serviceTime = LatencyHistogram()
  /// How much later than intended requests were sent, for whatever reason: no free connection or a late generator.
  /// Empty in closed loop.
  public var scheduleError = LatencyHistogram()
  /// From the end of connecting until the TLS handshake was over. Empty without TLS.
  public var handshakeTime = LatencyHistogram()
  /// CPU time of all threads, and of the thread that used most, during the measured part; 0 when it was not taken.
  public var cpuNanoseconds: UInt64 = 0
  public var busiestThreadNanoseconds: UInt64 = 0

  /// Equal slices of the measured part, in order.
  public var intervals: [Interval] = []
  /// The rates of a climbing run, in order; empty otherwise.
  public var steps: [Step] = []

  public init(
    label: String, target: String, mode: LoadMode, connections: Int, threads: Int,
    startUnixSeconds: UInt64, durationNanoseconds: UInt64, warmUpNanoseconds: UInt64 = 0
  ) {
    self.label = label
    self.target = target
    self.mode = mode
    self.connections = connections
    self.threads = threads
    self.startUnixSeconds = startUnixSeconds
    self.durationNanoseconds = durationNanoseconds
    self.warmUpNanoseconds = warmUpNanoseconds
  }

  /// Adds what one more thread counted.
  public mutating func merge(_ thread: ThreadResult) {
    tally.merge(thread.tally)
    latency.merge(thread.latency)
    serviceTime.merge(thread.serviceTime)
    scheduleError.merge(thread.scheduleError)
    handshakeTime.merge(thread.handshakeTime)
    cpuNanoseconds &+= thread.cpuNanoseconds
    busiestThreadNanoseconds = max(busiestThreadNanoseconds, thread.cpuNanoseconds)
  }

  /// Whole answers per second.
  public var achievedRate: Double { perSecond(tally.responses, over: durationNanoseconds) }

  /// The sustained step with the highest rate; nil when there are no steps or none was sustained.
  public var knee: Step? { KneeRule.knee(of: steps).map { steps[$0] } }
}
