/// What a request's `grpc-timeout` makes of a route's times. Milliseconds.
extension RouteEntry {
  /// `max_grpc_timeout`: the time to a response; 0 = none.
  ///
  /// - Parameter asked: By the request; nil: it has no such header, or none that can be read.
  public func grpcTimeout(asked: UInt64?) -> UInt64 {
    var timeout = asked ?? 0
    // An offset that would leave nothing is not taken off.
    if grpcTimeoutOffsetMilliseconds < timeout { timeout -= grpcTimeoutOffsetMilliseconds }
    if let max = grpcTimeoutMaxMilliseconds, max > 0, timeout == 0 || timeout > max { timeout = max }
    return timeout
  }

  /// `grpc_timeout_header_max`: the time of the whole stream; 0 = it ends at once. Nil: the route does not look at the header.
  public func grpcDuration(asked: UInt64) -> UInt64? {
    guard let max = grpcTimeoutMaxMilliseconds, !grpcTimeoutIsTimeout else { return nil }
    let bounded = max == 0 ? asked : min(asked, max)
    return bounded > grpcTimeoutOffsetMilliseconds ? bounded - grpcTimeoutOffsetMilliseconds : 0
  }
}
