/// What one thread of the generator counted during the measured part of a run.
public struct ThreadResult: Sendable, Equatable {
  public var tally = Tally()
  /// See ``RunResult``.
  public var latency = LatencyHistogram()
  public var serviceTime = LatencyHistogram()
  public var scheduleError = LatencyHistogram()
  public var handshakeTime = LatencyHistogram()
  /// CPU time of the thread during the measured part; 0 when it was not taken.
  public var cpuNanoseconds: UInt64 = 0

  public init() {}
}
