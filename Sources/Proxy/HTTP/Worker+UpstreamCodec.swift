import Primitives
import Reactor

/// The one place that knows which protocol carries a request to its host.
extension Worker {
  /// A connection that can take one more request now.
  @inline(__always)
  func codecTakeConnection(_ pool: PoolRef) -> ConnectionRef? {
    guard let connection = pool.pointee.idle else { return nil }
    removeIdle(connection, pool)
    return connection
  }

  /// The connection works for the stream from here on.
  @inline(__always)
  func codecOccupy(_ connection: ConnectionRef, _ stream: HTTPStreamRef) {
    connection.pointee.session = UnsafeMutableRawPointer(stream)
  }

  /// The connection is done with the stream; what becomes of it is the caller's affair.
  @inline(__always)
  func codecVacate(_ connection: ConnectionRef, _ stream: HTTPStreamRef) {
    if let splice = connection.pointee.feeds { releaseSource(splice) }
    connection.pointee.session = nil
  }

  /// Writes the head, and what has come of the body.
  @inline(__always)
  func codecWriteRequest(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef,
    _ config: UnsafeMutablePointer<ClusterConfig>
  ) {
    http1WriteRequest(stream, connection, config)
  }

  /// Writes more of the body, and its end when `requestEnded` says so.
  @inline(__always)
  func codecWriteRequestData(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ data: inout SegmentQueue
  ) {
    http1WriteRequestData(stream, connection, &data)
  }

  /// Whether the host takes the request more slowly than it comes.
  @inline(__always)
  func isRequestBlocked(_ stream: HTTPStreamRef, _ connection: ConnectionRef) -> Bool {
    isOverLimit(connection)
  }

  func codecPauseResponse(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    stopReading(connection)
  }

  func codecResumeResponse(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    startReading(connection)
  }

  /// Nobody wants the response any more. HTTP/1 cannot say so: a connection in the middle of an exchange closes.
  func codecAbandon(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    detach(stream, isSuccess: nil)
    close(connection, isLocal: true)
  }
}
