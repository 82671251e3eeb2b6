/// What a result of a check did.
public struct CheckOutcome: Hashable, Sendable {
  public var didPass: Bool
  public var change: CheckChange
  /// It was the first result of this check and host.
  public var isFirst: Bool
  /// Flags changed that decide who is chosen.
  public var mustPublish: Bool
  /// Lines for the event log.
  public var events: CheckEvents

  public init(
    didPass: Bool, change: CheckChange, isFirst: Bool, mustPublish: Bool, events: CheckEvents
  ) {
    self.didPass = didPass
    self.change = change
    self.isFirst = isFirst
    self.mustPublish = mustPublish
    self.events = events
  }
}

@frozen
public enum CheckChange: UInt8, BitwiseCopyable, Hashable, Sendable {
  case unchanged
  /// The result speaks for another state, but not often enough yet: the edge intervals are for this.
  case pending
  case changed
}

/// Lines for the event log, to be written in the order of the bits.
@frozen
public struct CheckEvents: OptionSet, BitwiseCopyable, Hashable, Sendable {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let ejectUnhealthy = CheckEvents(rawValue: 1 << 0)
  public static let failure = CheckEvents(rawValue: 1 << 1)
  public static let addHealthy = CheckEvents(rawValue: 1 << 2)
  public static let success = CheckEvents(rawValue: 1 << 3)
  public static let degraded = CheckEvents(rawValue: 1 << 4)
  public static let noLongerDegraded = CheckEvents(rawValue: 1 << 5)

  /// The field of the event log that each one sets, in bit order.
  public static let words: [StaticString] = [
    "eject_unhealthy_event", "health_check_failure_event", "add_healthy_event",
    "successful_health_check_event", "degraded_healthy_host", "no_longer_degraded_host",
  ]
}
