import HTTPCore
import Primitives

/// What a fault filter would do with a request, by the same conditions as on the request path: for people who ask.
public enum FaultTrace {
  case exempt(FaultSettings.Exemption)
  /// First the delay, then what ends the request; each by its own chance.
  case faults(
    delay: (nanoseconds: UInt64, percentage: FaultSettings.Percentage)?,
    abort: (status: FaultSettings.AbortStatus, percentage: FaultSettings.Percentage)?, maxActive: UInt32?)
}

extension FaultFilter {
  /// - Parameters:
  ///   - own: Settings of the route, if it has any.
  ///   - cluster: That the route leads to, if to any.
  public func trace(_ headers: UnsafePointer<HeaderMap>, own: AnyObject?, cluster: ByteView?) -> FaultTrace {
    let settings = (own as? FaultRouteConfig)?.settings ?? settings
    if let exemption = settings.exemption(headers, cluster: { cluster }) { return .exempt(exemption) }
    return .faults(
      delay: settings.delay(headers), abort: settings.abort(headers),
      maxActive: settings.maxActiveFaults == .max ? nil : settings.maxActiveFaults)
  }
}
