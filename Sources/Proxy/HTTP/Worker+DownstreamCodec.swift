import HTTP2
import HTTPCore
import Primitives
import Reactor

/// The one place that knows which protocol carries a stream to its client. Above it there are only streams.
extension Worker {
  /// One test for the carrier that is most common.
  @inline(__always)
  private func isHTTP1(_ stream: HTTPStreamRef) -> Bool { stream.pointee.flags.isDisjoint(with: .otherCarriers) }

  /// Writes the response's head.
  ///
  /// - Parameters:
  ///   - hasNoContent: No body follows, whatever the head says (HEAD, 204, 304, RFC 9110 section 6.4.1).
  ///   - endsStream: There is no body.
  @inline(__always)
  func codecWriteHead(
    _ stream: HTTPStreamRef, _ code: UInt16, hasNoContent: Bool, endsStream: Bool
  ) {
    if isHTTP1(stream) {
      http1WriteHead(stream, code, hasNoContent: hasNoContent, endsStream: endsStream)
    } else if stream.pointee.has(.isHTTP2) {
      http2WriteHead(stream, code, hasNoContent: hasNoContent, endsStream: endsStream)
    } else {
      internalWriteHead(stream, code, hasNoContent: hasNoContent, endsStream: endsStream)
    }
  }

  /// Writes body bytes, and the trailers behind them when they end the response.
  @inline(__always)
  func codecWriteData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    if isHTTP1(stream) {
      http1WriteData(stream, &data, endsStream: endsStream)
    } else if stream.pointee.has(.isHTTP2) {
      http2WriteData(stream, &data, endsStream: endsStream)
    } else {
      internalWriteData(stream, &data, endsStream: endsStream)
    }
  }

  /// An interim response (1xx) ahead of the real one.
  ///
  /// - Parameter map: Its fields; nil = 100 (Continue) without any.
  func codecWriteInterim(_ stream: HTTPStreamRef, _ status: UInt16, _ map: HeaderMap?) {
    if isHTTP1(stream) {
      http1WriteInterim(stream, status, map)
    } else if stream.pointee.has(.isHTTP2) {
      http2WriteInterim(stream, status, map)
    } else {
      // Nobody inside has asked for one.
      return
    }
    let manager = stream.pointee.manager
    manager.pointee.stats.codes.recordInterim(status, slab)
    manager.pointee.listenerCodes.recordInterim(status, slab)
  }

  /// Whether the client takes the response more slowly than it comes.
  @inline(__always)
  func isResponseBlocked(_ stream: HTTPStreamRef) -> Bool {
    if isHTTP1(stream) { return isOverLimit(stream.pointee.connection) }
    // A sink takes everything at once.
    return stream.pointee.has(.isHTTP2) && isHTTP2ResponseBlocked(stream)
  }

  /// Stops the client from sending more of the request.
  func codecPauseRequest(_ stream: HTTPStreamRef) {
    // HTTP/2 stops to give windows back; what they allow still comes. Inside, whoever sends has been told.
    if isHTTP1(stream) { stopReading(stream.pointee.connection) }
  }

  func codecResumeRequest(_ stream: HTTPStreamRef) {
    if isHTTP1(stream) {
      startReading(stream.pointee.connection)
    } else if stream.pointee.has(.isHTTP2) {
      http2ResumeRequest(stream)
    } else {
      internalResumeRequest(stream)
    }
  }

  /// The response is out: ends the stream and decides about its connection.
  func codecFinish(_ stream: HTTPStreamRef) {
    if isHTTP1(stream) {
      http1Finish(stream)
    } else if stream.pointee.has(.isHTTP2) {
      http2Finish(stream)
    } else {
      internalFinish(stream)
    }
  }

  /// Ends the stream in the middle of its response.
  ///
  /// - Parameter code: What an HTTP/2 client is told.
  func codecReset(_ stream: HTTPStreamRef, _ code: HTTP2Code) {
    if isHTTP1(stream) {
      http1Reset(stream)
    } else if stream.pointee.has(.isHTTP2) {
      http2Reset(stream, code)
    } else {
      internalReset(stream)
    }
  }

  /// The stream is over: its connection knows it no more.
  @inline(__always)
  func detachDownstream(_ stream: HTTPStreamRef) {
    if isHTTP1(stream) {
      stream.pointee.connection.pointee.session = nil
    } else if stream.pointee.has(.isHTTP2) {
      http2Detach(stream)
    } else {
      internalDetach(stream)
    }
  }
}
