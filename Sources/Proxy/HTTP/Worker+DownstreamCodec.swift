import HTTP2
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
    if stream.pointee.has(.isHTTP2) {
      http2WriteHead(stream, code, hasNoContent: hasNoContent, endsStream: endsStream)
    } else {
      http1WriteHead(stream, code, hasNoContent: hasNoContent, endsStream: endsStream)
    }
  }

  /// Writes body bytes, and the trailers behind them when they end the response.
  @inline(__always)
  func codecWriteData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    if stream.pointee.has(.isHTTP2) {
      http2WriteData(stream, &data, endsStream: endsStream)
    } else {
      http1WriteData(stream, &data, endsStream: endsStream)
    }
  }

  /// An interim response (1xx) ahead of the real one.
  ///
  /// - Parameter map: Its fields; nil = 100 (Continue) without any.
  func codecWriteInterim(_ stream: HTTPStreamRef, _ status: UInt16, _ map: HeaderMap?) {
    if stream.pointee.has(.isHTTP2) {
      http2WriteInterim(stream, status, map)
    } else {
      http1WriteInterim(stream, status, map)
    }
  }

  /// Whether the client takes the response more slowly than it comes.
  @inline(__always)
  func isResponseBlocked(_ stream: HTTPStreamRef) -> Bool {
    stream.pointee.has(.isHTTP2)
      ? isHTTP2ResponseBlocked(stream) : isOverLimit(stream.pointee.connection)
  }

  /// Stops the client from sending more of the request.
  func codecPauseRequest(_ stream: HTTPStreamRef) {
    // HTTP/2 stops to give windows back; what they allow still comes.
    if !stream.pointee.has(.isHTTP2) { stopReading(stream.pointee.connection) }
  }

  func codecResumeRequest(_ stream: HTTPStreamRef) {
    if stream.pointee.has(.isHTTP2) {
      http2ResumeRequest(stream)
    } else {
      startReading(stream.pointee.connection)
    }
  }

  /// The response is out: ends the stream and decides about its connection.
  func codecFinish(_ stream: HTTPStreamRef) {
    if stream.pointee.has(.isHTTP2) {
      http2Finish(stream)
    } else {
      http1Finish(stream)
    }
  }

  /// Ends the stream in the middle of its response.
  ///
  /// - Parameter code: What an HTTP/2 client is told.
  func codecReset(_ stream: HTTPStreamRef, _ code: HTTP2Code) {
    if stream.pointee.has(.isHTTP2) {
      http2Reset(stream, code)
    } else {
      http1Reset(stream)
    }
  }

  /// The stream is over: its connection knows it no more.
  @inline(__always)
  func detachDownstream(_ stream: HTTPStreamRef) {
    if stream.pointee.has(.isHTTP2) {
      http2Detach(stream)
    } else {
      stream.pointee.connection.pointee.session = nil
    }
  }
}
