import Primitives

/// One host under outlier detection. Times are of one steady clock, in milliseconds.
public struct OutlierState: BitwiseCopyable, Hashable, Sendable {
  public private(set) var isEjected = false
  /// Why it was ejected last.
  public private(set) var kind = EjectionKind.consecutive5xx
  /// Ejections since the host is known.
  public private(set) var ejections: UInt32 = 0
  /// What the base time is multiplied by: grows with each ejection, shrinks while all is well.
  public private(set) var backoff: UInt32 = 0
  public private(set) var jitter: UInt64 = 0
  public private(set) var ejectedAt: UInt64?
  public private(set) var unejectedAt: UInt64?

  public init() {}

  /// How long the ejection lasts.
  public func ejectionTime(_ settings: OutlierSettings) -> UInt64 {
    min(settings.baseEjectionTime.saturatingMultiply(UInt64(backoff)), settings.maxEjectionTime)
      .saturatingAdd(jitter)
  }

  /// The ejection is over; the next sweep ends it.
  public func isOver(now: UInt64, _ settings: OutlierSettings) -> Bool {
    guard isEjected, let ejectedAt else { return false }
    return now.saturatingSubtract(ejectedAt) >= ejectionTime(settings)
  }

  /// Is called for every host at the end of a sweep: a host that stayed in service for an interval
  /// earns shorter ejections.
  public mutating func relax(now: UInt64, _ settings: OutlierSettings) {
    guard !isEjected, backoff > 0, let unejectedAt,
      now.saturatingSubtract(unejectedAt) >= settings.interval
    else { return }
    backoff &-= 1
  }

  mutating func eject(
    _ kind: EjectionKind, now: UInt64, _ settings: OutlierSettings,
    using random: inout some RandomNumberGenerator
  ) {
    isEjected = true
    self.kind = kind
    ejections = ejections.saturatingAdd(1)
    ejectedAt = now
    // So that hosts that failed together do not come back together.
    let (choices, isAll) = settings.maxEjectionTimeJitter.addingReportingOverflow(1)
    jitter = isAll ? random.next() : random.next() % choices
    let time = settings.baseEjectionTime.saturatingMultiply(UInt64(backoff))
    if time < settings.maxEjectionTime.saturatingAdd(settings.baseEjectionTime) {
      backoff = backoff.saturatingAdd(1)
    }
  }

  mutating func uneject(now: UInt64) {
    isEjected = false
    unejectedAt = now
  }
}
