/// When requests are sent.
public enum LoadMode: Sendable, Equatable {
  /// Each connection sends the next request when the answer to the last one came.
  case closed
  /// Requests are sent at times that do not depend on the answers. Rates are requests per second over all
  /// connections; `first == last` unless the rate climbs.
  case open(arrivals: Arrivals, first: Double, last: Double)

  public enum Arrivals: String, Sendable {
    /// Equal gaps.
    case constant
    /// Exponentially distributed gaps, as from many independent users.
    case poisson
  }

  public var isOpen: Bool { self != .closed }
}
