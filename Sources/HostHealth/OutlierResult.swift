/// What became of a request or connection, as far as outlier detection cares.
@frozen
public enum OutlierResult: BitwiseCopyable, Hashable, Sendable {
  /// A response's status, or the status that stands for a grpc-status.
  case status(UInt16)
  /// Could not connect, was reset or closed, broke the protocol.
  case localOriginFailure
  /// Nothing came in time. 504, or 204 when the client asked for that.
  case localOriginTimeout(status: UInt16)
  /// A connection is there, and a response will follow.
  case connected
  /// A connection is there, and that is all there will be (TCP).
  case connectedFinally

  /// What is counted.
  ///
  /// - Parameter isSplit: `split_external_local_origin_errors`
  @inlinable
  public func counted(isSplit: Bool) -> OutlierCount {
    switch self {
    case .status(let status): .external(status: status)
    case .localOriginFailure: isSplit ? .localOriginFailure : .external(status: 503)
    case .localOriginTimeout(let status): isSplit ? .localOriginFailure : .external(status: status)
    case .connected: isSplit ? .localOriginSuccess : .nothing
    case .connectedFinally: isSplit ? .localOriginSuccess : .external(status: 200)
    }
  }
}

/// Where a result is counted.
@frozen
public enum OutlierCount: BitwiseCopyable, Hashable, Sendable {
  case nothing
  case external(status: UInt16)
  case localOriginFailure
  case localOriginSuccess

  /// The streaks after it.
  @inlinable
  public func next(after streaks: ConsecutiveFailures) -> ConsecutiveFailures {
    switch self {
    case .nothing: streaks
    case .external(let status): streaks.counting(status: status)
    case .localOriginFailure: streaks.countingLocalOriginFailure()
    case .localOriginSuccess: streaks.countingLocalOriginSuccess()
    }
  }
}
