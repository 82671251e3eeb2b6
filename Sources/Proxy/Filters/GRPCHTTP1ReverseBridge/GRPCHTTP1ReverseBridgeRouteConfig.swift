/// A route that says that the filter works on it, whatever wider levels say.
public final class GRPCHTTP1ReverseBridgeRouteConfig: Sendable {
  public init() {}
}
