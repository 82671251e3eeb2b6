/// The part of a climbing run that was held at one rate.
public struct Step: Sendable, Equatable {
  /// From the start of the measured part.
  public var startNanoseconds: UInt64
  public var durationNanoseconds: UInt64
  /// Requests per second that were due.
  public var intendedRate: Double
  /// Answers to requests of this step, whole ones, and its failed requests.
  public var requests: UInt64
  public var errors: UInt64
  public var latency: LatencySummary
  /// Why the step does not count as sustained; nil when it does. Set by ``KneeRule``.
  public var failure: Failure?

  public enum Failure: String, Sendable, CaseIterable {
    /// Fewer answers than were due.
    case slow
    /// Too many failed requests.
    case errors
    /// p99 far above that of lower rates.
    case latency
  }

  public init(
    startNanoseconds: UInt64, durationNanoseconds: UInt64, intendedRate: Double, requests: UInt64,
    errors: UInt64, latency: LatencySummary, failure: Failure? = nil
  ) {
    self.startNanoseconds = startNanoseconds
    self.durationNanoseconds = durationNanoseconds
    self.intendedRate = intendedRate
    self.requests = requests
    self.errors = errors
    self.latency = latency
    self.failure = failure
  }

  /// Answers per second.
  public var achievedRate: Double { perSecond(requests, over: durationNanoseconds) }

  public var isSustained: Bool { failure == nil }

  /// The part of the completed requests that failed, 0...1.
  public var errorFraction: Double {
    let all = Double(requests) + Double(errors)
    return all == 0 ? 0 : Double(errors) / all
  }
}
