import CNGHTTP2
import HTTPCore
import Primitives

/// What the library calls: each function writes into the session and returns, nothing else.
enum SessionCallbacks {
  static func install(_ callbacks: OpaquePointer) {
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, context in
      sessionRef(context).beginHeaders(frame.unsafelyUnwrapped)
    }
    nghttp2_session_callbacks_set_on_header_callback2(callbacks) {
      _, _, name, value, flags, context in
      sessionRef(context).header(name.unsafelyUnwrapped, value.unsafelyUnwrapped, flags)
    }
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks) { _, _, _, _, _, _ in
      // Without this the library drops the field and lets the message through.
      cng_err_refuse_stream
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, context in
      sessionRef(context).received(frame.unsafelyUnwrapped)
      return 0
    }
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) {
      _, frame, code, context in
      sessionRef(context).invalid(frame.unsafelyUnwrapped, code)
      return 0
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
      _, _, id, start, count, context in
      sessionRef(context).data(id, start.unsafelyUnwrapped, count)
      return 0
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, code, context in
      sessionRef(context).streamClosed(id, HTTP2Code(rawValue: code))
      return 0
    }
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, context in
      sessionRef(context).frameSent(frame.unsafelyUnwrapped)
      return 0
    }
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) {
      _, frame, code, context in
      sessionRef(context).frameNotSent(frame.unsafelyUnwrapped, code)
      return 0
    }
    nghttp2_session_callbacks_set_send_data_callback(callbacks) {
      _, frame, header, count, source, context in
      sessionRef(context).pack(
        frame.unsafelyUnwrapped, header.unsafelyUnwrapped, count,
        source.unsafelyUnwrapped.pointee.ptr)
    }
  }
}

/// The user data that the session was made with.
@inline(__always)
func sessionRef(_ context: UnsafeMutableRawPointer?) -> HTTP2SessionRef {
  context.unsafelyUnwrapped.assumingMemoryBound(to: HTTP2Session.self)
}

extension HTTP2SessionRef {
  // MARK: Header lists

  fileprivate func beginHeaders(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    let id = cng_header(frame).pointee.stream_id
    if pointee.isServer, cng_headers_category(frame) == cng_hcat_request {
      let stream = makeStream(id)
      _ = nghttp2_session_set_stream_user_data(pointee.library, id, stream)
      // The library sends one stream after the other to its end unless they are incremental.
      var priority = nghttp2_extpri(urgency: 3, inc: 1)
      _ = nghttp2_session_change_extpri_stream_priority(pointee.library, id, &priority, 1)
      begin(.request, in: headerArena)
      return 0
    }
    guard let stream = stream(id), !stream.pointee.isSilent else {
      begin(.ignored, in: headerArena)
      return 0
    }
    if stream.pointee.flags.contains(.isTunnel) {
      begin(.ignored, in: headerArena)
      malformed(
        stream, HTTP2Error(.messagingRule), closes: pointee.builder.closesOnMalformed)
      return cng_err_refuse_stream
    }
    let isTrailers = stream.pointee.flags.contains(.hasHead)
    // An owner without an arena cannot keep a list beyond the call.
    begin(isTrailers ? .trailers : .response, in: stream.pointee.arena ?? headerArena)
    return 0
  }

  private func begin(_ kind: HeaderListBuilder.Kind, in arena: UnsafeMutablePointer<Arena>) {
    if arena == headerArena { pointee.headerArena.reset() }  // what an abandoned block left
    pointee.builder.begin(kind, in: arena)
  }

  @inline(__always)
  fileprivate func header(_ name: OpaquePointer, _ value: OpaquePointer, _ flags: UInt8) -> Int32 {
    pointee.builder.add(name, value, flags)
    if pointee.builder.isFlood {
      pointee.record.failure = HTTP2Error(
        .headerBlockFlood, code: .enhanceYourCalm, detail: "http2.too_many_headers")
      return cng_err_refuse_stream
    }
    return 0
  }

  // MARK: Frames

  fileprivate func received(_ frame: UnsafePointer<nghttp2_frame>) {
    pointee.record.isComplete = true
    let header = cng_header(frame)
    switch header.pointee.type {
    case FrameType.data:
      if header.pointee.flags & FrameFlag.endStream != 0 { dataEnded(header.pointee.stream_id) }
    case FrameType.headers:
      headersEnded(
        header.pointee.stream_id, ends: header.pointee.flags & FrameFlag.endStream != 0)
    case FrameType.reset:
      pointee.counters.resetsReceived &+= 1
      if let stream = stream(header.pointee.stream_id) {
        resetReceived(stream, HTTP2Code(rawValue: cng_reset_code(frame)))
      }
    case FrameType.settings:
      if header.pointee.flags & FrameFlag.acknowledgement == 0 { settingsReceived() }
    case FrameType.ping:
      if header.pointee.flags & FrameFlag.acknowledgement != 0 {
        let payload = UnsafeRawPointer(cng_ping_payload(frame))
        tell(.pong(UInt64(bigEndian: payload.loadUnaligned(as: UInt64.self))))
      }
    case FrameType.goAway:
      let goAway = cng_goaway(frame)
      tell(
        .goAway(
          last: goAway.pointee.last_stream_id,
          HTTP2Code(rawValue: goAway.pointee.error_code)))
    default: break
    }
  }

  @inline(__always)
  private func tell(_ event: HTTP2Event) {
    pointee.record.event = event
    pointee.record.hasEvent = true
  }

  @inline(__always)
  fileprivate func data(_ id: Int32, _ start: UnsafePointer<UInt8>, _ count: Int) {
    guard let stream = pointee.dataStream else {
      // Nobody will give it back.
      _ = nghttp2_session_consume(pointee.library, id, count)
      return
    }
    stream.pointee.unconsumedBytes &+= count
    let from = start - pointee.inputBase
    tell(.data(stream, from: from, to: from &+ count, ends: false))
  }

  private func dataEnded(_ id: Int32) {
    guard let stream = pointee.dataStream else {
      stream(id)?.pointee.flags.insert(.receiveEnded)
      return
    }
    stream.pointee.flags.insert(.receiveEnded)
    if case .data(let told, let from, let to, _) = pointee.record.event, told == stream {
      tell(.data(stream, from: from, to: to, ends: true))
    } else {
      tell(.data(stream, from: 0, to: 0, ends: true))
    }
  }

  private func headersEnded(_ id: Int32, ends: Bool) {
    guard let stream = stream(id) else { return }
    if ends { stream.pointee.flags.insert(.receiveEnded) }
    let kind = pointee.builder.kind
    if kind == .ignored { return }
    pointee.builder.holdsList = pointee.builder.arena == headerArena
    pointee.counters.underscoreFieldsDropped &+= pointee.builder.takeDroppedUnderscores()
    var head = HTTP2Head()
    head.ends = ends
    head.wireBytes = pointee.gate.blockBytes
    if let fault = pointee.builder.finish(&head) {
      // What `_` costs is only the message that has it.
      let closes = pointee.builder.closesOnMalformed && fault.reason != .underscoreName
      if fault.reason == .headersTooLarge || fault.reason == .tooManyFields, kind != .trailers {
        accept(stream, &head)
        tell(.tooLarge(stream, fault))
      } else {
        malformed(stream, fault, closes: closes && fault.code == .protocolError)
      }
      return
    }
    switch kind {
    case .ignored: break
    case .trailers:
      pointee.counters.trailers &+= 1
      tell(.trailers(stream))
    case .request:
      accept(stream, &head)
      tell(.head(stream, head))
    case .response:
      if head.status < 200 {
        stream.pointee.flags.insert(.hasInterim)
        stream.pointee.interimBytes &+= pointee.builder.bytes &+ HeaderListBuilder.listBytes
        if stream.pointee.interimBytes > pointee.builder.interimBytesMax {
          malformed(stream, HTTP2Error(.headersTooLarge), closes: false)
        } else {
          tell(.interim(stream, status: head.status))
        }
      } else {
        accept(stream, &head)
        tell(.head(stream, head))
      }
    }
  }

  /// A request or a final response: what may follow it.
  private func accept(_ stream: HTTP2StreamRef, _ head: inout HTTP2Head) {
    stream.pointee.flags.formUnion([.hasHead, .isOwned])
    if pointee.isServer {
      if head.method == .connect { stream.pointee.flags.insert(.isTunnel) }
      stream.pointee.expectedBytes = head.contentLength
      return
    }
    if stream.pointee.flags.contains(.isConnect), head.status / 100 == 2 {
      // RFC 9110 section 9.3.6: there is no content, and no length of it.
      stream.pointee.flags.insert(.isTunnel)
      head.contentLength = -1
      pointee.builder.map.remove(.contentLength)
    } else if stream.pointee.flags.contains(.isHead) || head.status == 204 || head.status == 304 {
      stream.pointee.expectedBytes = 0
    } else {
      stream.pointee.expectedBytes = head.contentLength
    }
  }

  private func settingsReceived() {
    pointee.hasPeerSettings = true
    if !pointee.isServer {
      pointee.peerMaxStreams = nghttp2_session_get_remote_settings(
        pointee.library, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
    }
    pointee.peerAllowsConnect =
      nghttp2_session_get_remote_settings(
        pointee.library, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1
    tell(.settings)
  }

  private func resetReceived(_ stream: HTTP2StreamRef, _ code: HTTP2Code) {
    if stream.pointee.isSilent || !stream.pointee.flags.contains(.isOwned) { return }
    stream.pointee.flags.insert(.isReported)
    tell(.reset(stream, code, byPeer: true, isUnprocessed: code == .refusedStream))
  }

  /// A frame that the library answers with RST_STREAM or GOAWAY.
  ///
  /// The frame does not count as taken: the rest of its header block may be worse.
  fileprivate func invalid(_ frame: UnsafePointer<nghttp2_frame>, _ code: Int32) {
    let header = cng_header(frame)
    let id = header.pointee.stream_id
    switch code {
    case cng_err_http_header, cng_err_http_messaging:
      guard let stream = stream(id) else { return }
      let error = HTTP2Error(code == cng_err_http_header ? .invalidField : .messagingRule)
      if header.pointee.type == FrameType.headers,
        header.pointee.flags & FrameFlag.endStream != 0
      {
        stream.pointee.flags.insert(.receiveEnded)
      }
      malformed(stream, error, closes: pointee.builder.closesOnMalformed)
    case cng_err_refused_stream:
      pointee.counters.streamsRefused &+= 1
      chargeReset()
    case cng_err_flow_control where header.pointee.type == FrameType.windowUpdate && id != 0:
      // A stream's window above 2^31-1 (RFC 9113 section 6.9.1).
      guard let stream = stream(id), !stream.pointee.isSilent else { return }
      stream.pointee.flags.insert(.isReported)
      tell(.reset(stream, .flowControlError, byPeer: false, isUnprocessed: false))
      chargeReset()
    case cng_err_stream_closed: pointee.record.failure = HTTP2Error(.streamClosed)
    case cng_err_flow_control:
      pointee.record.failure = HTTP2Error(
        .protocolViolation, code: .flowControlError, detail: "http2.flow_control_error")
    default: pointee.record.failure = HTTP2Error(.protocolViolation)
    }
  }

  // MARK: Ends

  fileprivate func streamClosed(_ id: Int32, _ code: HTTP2Code) {
    guard let stream = stream(id) else { return }
    pointee.activeCount &-= 1
    pointee.gate.streamClosed(
      id, peerEnded: stream.pointee.flags.contains(.receiveEnded))
    stream.pointee.flags.insert(.isClosed)
    stream.pointee.closeCode = code
    if !stream.pointee.flags.contains(.isOwned) {
      // Nobody knows of it.
      stream.pointee.flags.insert(.isReleased)
    }
    let isClean = code == .noError && stream.pointee.flags.contains([.sendEnded, .receiveEnded])
    if !isClean, !stream.pointee.isSilent {
      if pointee.isSending {
        if !stream.pointee.flags.contains(.isInSentList) { pointee.sent.append(stream) }
      } else {
        pointee.closed.append(stream)
      }
    }
    freeIfDone(stream)
  }
}
