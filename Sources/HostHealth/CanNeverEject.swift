/// A cap under which no host can ever be ejected: worth a warning, because outlier detection looks
/// configured and does nothing.
public struct CanNeverEject: Hashable, Sendable {
  public let hostCount: Int
  public let maxEjectionPercent: UInt32
  /// The smallest `max_ejection_percent` that lets one host be ejected. (`always_eject_one_host` does too.)
  public let percentNeeded: UInt32

  /// Nil when the cap lets at least one host be ejected, or there is none to eject.
  public init?(hostCount: Int, _ settings: OutlierSettings) {
    guard hostCount > 0, !Ejections().allowOneMore(hostCount: hostCount, settings) else { return nil }
    self.hostCount = hostCount
    maxEjectionPercent = settings.maxEjectionPercent
    percentNeeded = UInt32(truncatingIfNeeded: (100 + min(hostCount, 100) - 1) / min(hostCount, 100))
  }

  /// For people: what is wrong and what helps.
  public var sentence: String {
    let hosts = "\(hostCount) host\(hostCount == 1 ? "" : "s")"
    return "no host can ever be ejected: of \(hosts), max_ejection_percent \(maxEjectionPercent) allows less than one;"
      + " set it to \(percentNeeded) or more, or always_eject_one_host"
  }
}
