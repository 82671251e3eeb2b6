import HTTP2
import HTTPCore
import LoadBase
import LoadReport
import Primitives
import Reactor

/// Answers over HTTP/2.
extension ClientWorker {
  /// Reads as many frames as the bytes hold.
  func http2Received(_ connection: ClientRef, _ session: HTTP2SessionRef, _ segment: SegmentRef) {
    let bytes = ByteView(segment.pointee.base, segment.pointee.count)
    var offset = 0
    connection.pointee.receivedAt = now
    reading: while true {
      switch session.pointee.next(bytes, &offset, now: now) {
      case .needMore: break reading
      case .head(let codec, let head):
        guard let stream = loadStream(codec) else { continue }
        stream.pointee.status = Int(head.status)
        if head.ends { answerEnded(stream, session.pointee.headers) }
      case .data(let codec, let from, let to, let ends):
        guard let stream = loadStream(codec) else { continue }
        dataCame(stream, bytes.slice(from: from, to: to))
        session.pointee.consume(codec, to &- from)
        if ends { answerEnded(stream, nil) }
      case .trailers(let codec):
        if let stream = loadStream(codec) { answerEnded(stream, session.pointee.headers) }
      case .interim: break
      case .settings, .pong: break
      case .reset(let codec, let code, _, _): http2StreamClosed(connection, codec, code)
      case .malformed(let codec, let error):
        if let codec, let stream = loadStream(codec) { http2Fail(stream, .protocolError, note: "\(error.detail)") }
      case .tooLarge(let codec, let error):
        if let stream = loadStream(codec) { http2Fail(stream, .protocolError, note: "\(error.detail)") }
      case .goAway(_, let code):
        connection.pointee.goAwayCode = Int64(code.rawValue)
        connection.pointee.isEnding = true
        if code != .noError { remember(.goaway, "GOAWAY with \(HTTP2CodeName.of(code))") }
      case .failed(let error):
        http2Broken(connection, error)
        return
      }
    }
    // Acknowledgements and windows.
    http2MarkForFlush(connection)
    http2Settle(connection)
  }

  @inline(__always)
  private func dataCame(_ stream: LoadStreamRef, _ piece: ByteView) {
    if isGRPC {
      note(&stream.pointee.content, stream.pointee.message.take(piece))
    } else {
      note(&stream.pointee.content, piece)
    }
  }

  /// The answer is whole.
  /// - Parameter fields: Its trailers, or its head when there was nothing else.
  private func answerEnded(_ stream: LoadStreamRef, _ fields: HeaderMap?) {
    var fault: ErrorKind?
    if isGRPC {
      guard stream.pointee.message.isWhole else {
        http2Fail(stream, .protocolError, note: "not one whole uncompressed message")
        return
      }
      fault = grpcFault(stream, fields)
    } else if !acceptedStatuses[min(stream.pointee.status, 999)] {
      fault = .unexpectedStatus
    }
    if fault == nil, checksBody {
      let isHead = http2Compiled[Int(stream.pointee.request.content)].isHead
      fault = bodyFault(stream.pointee.content, isHead: isHead)
    }
    book(stream.pointee.request, fault: fault, status: stream.pointee.status)
    http2Remove(stream)
  }

  // MARK: Ends

  /// The peer ended a stream, or could not be given it.
  func http2StreamClosed(_ connection: ClientRef, _ codec: HTTP2StreamRef, _ code: HTTP2Code) {
    guard let stream = loadStream(codec) else { return }
    if connection.pointee.goAwayCode >= 0, code == .refusedStream {
      http2Fail(stream, .goaway, note: "GOAWAY before the request was looked at")
    } else {
      http2Fail(stream, .streamReset, note: "RST_STREAM with \(HTTP2CodeName.of(code))")
    }
  }

  /// The peer broke a rule of the connection.
  func http2Broken(_ connection: ClientRef, _ error: HTTP2Error) {
    let reason = whatItSpeaks(connection) ?? "\(error.detail)"
    if connection.pointee.pendingCount > 0 {
      http2FailAll(connection, .protocolError, note: reason)
    } else {
      count(.protocolError, note: reason)
    }
    replace(connection)
  }

  /// Why a connection over which no SETTINGS came may have ended.
  func whatItSpeaks(_ connection: ClientRef) -> String? {
    guard let session = connection.pointee.h2, !session.pointee.hasPeerSettings else { return nil }
    return "the server may not speak HTTP/2: its connection does not begin with SETTINGS"
  }
}
