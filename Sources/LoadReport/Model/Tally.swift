/// Everything that is counted during the measured part of a run. Warm-up is not in it.
public struct Tally: Sendable, Equatable {
  /// Requests written to a connection, whole or in part.
  public var requestsSent: UInt64 = 0
  /// Requests that were due but never sent, because no connection was free until the end. Open loop only.
  public var requestsUnsent: UInt64 = 0
  /// Whole answers, whatever they said.
  public var responses: UInt64 = 0
  /// Whole answers that were the expected ones.
  public var successes: UInt64 = 0
  /// Bytes as they passed the socket, heads included.
  public var bytesRead: UInt64 = 0
  public var bytesWritten: UInt64 = 0
  public var connectionsOpened: UInt64 = 0
  /// Open loop: requests that were sent late because no connection was free for them when they were due.
  public var waitedForConnection: UInt64 = 0
  public var statuses = StatusCounts()
  /// gRPC: calls by `grpc-status`.
  public var grpcStatuses = StatusCounts()
  public var errors = ErrorCounts()
  public var tls = TLSCounts()

  public init() {}

  public mutating func merge(_ other: Tally) {
    requestsSent &+= other.requestsSent
    requestsUnsent &+= other.requestsUnsent
    responses &+= other.responses
    successes &+= other.successes
    bytesRead &+= other.bytesRead
    bytesWritten &+= other.bytesWritten
    connectionsOpened &+= other.connectionsOpened
    waitedForConnection &+= other.waitedForConnection
    statuses.merge(other.statuses)
    grpcStatuses.merge(other.grpcStatuses)
    errors.merge(other.errors)
    tls.merge(other.tls)
  }

  /// Requests that came to an end: succeeded or failed.
  public var completed: UInt64 { successes &+ errors.total }

  /// The part of the completed requests that failed, 0...1.
  public var errorFraction: Double {
    completed == 0 ? 0 : Double(errors.total) / Double(completed)
  }
}
