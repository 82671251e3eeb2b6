import HTTPCore
import Primitives
import Reactor

/// The one place that knows which protocol carries a stream to its client. Above it there are only streams.
extension Worker {
  /// Writes the response's head.
  ///
  /// - Parameters:
  ///   - hasNoContent: No body follows, whatever the head says (HEAD, 204, 304, RFC 9110 section 6.4.1).
  ///   - endsStream: There is no body.
  @inline(__always)
  func codecWriteHead(
    _ stream: HTTPStreamRef, _ code: UInt16, hasNoContent: Bool, endsStream: Bool
  ) {
    http1WriteHead(stream, code, hasNoContent: hasNoContent, endsStream: endsStream)
  }

  /// Writes body bytes, and the trailers behind them when they end the response.
  @inline(__always)
  func codecWriteData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    http1WriteData(stream, &data, endsStream: endsStream)
  }

  /// An interim response (1xx) ahead of the real one.
  ///
  /// - Parameter map: Its fields; nil = 100 (Continue) without any.
  func codecWriteInterim(_ stream: HTTPStreamRef, _ status: UInt16, _ map: HeaderMap?) {
    http1WriteInterim(stream, status, map)
  }

  /// Whether the client takes the response more slowly than it comes.
  @inline(__always)
  func isResponseBlocked(_ stream: HTTPStreamRef) -> Bool {
    isOverLimit(stream.pointee.connection)
  }

  /// Stops the client from sending more of the request.
  func codecPauseRequest(_ stream: HTTPStreamRef) {
    stopReading(stream.pointee.connection)
  }

  func codecResumeRequest(_ stream: HTTPStreamRef) {
    startReading(stream.pointee.connection)
  }

  /// The response is out: ends the stream and decides about its connection.
  func codecFinish(_ stream: HTTPStreamRef) {
    http1Finish(stream)
  }

  /// Ends the stream in the middle of its response.
  func codecReset(_ stream: HTTPStreamRef) {
    http1Reset(stream)
  }

  /// The stream is over: its connection knows it no more.
  @inline(__always)
  func detachDownstream(_ stream: HTTPStreamRef) {
    stream.pointee.connection.pointee.session = nil
  }
}
