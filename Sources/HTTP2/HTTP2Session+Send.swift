import CNGHTTP2
import HTTPCore
import Primitives

extension HTTP2Session {
  /// A final response head. Views of `map` must live until ``output(mayTakeData:)`` is idle.
  ///
  /// - Parameter ends: END_STREAM: no body and no trailers.
  /// - Returns: False when the head is longer than 64 KiB or the stream is over; nothing is sent.
  @inline(__always)
  public mutating func submitResponse(
    _ stream: HTTP2StreamRef, _ map: borrowing HeaderMap, ends: Bool
  ) -> Bool {
    ref.submitResponse(stream, map, ends: ends)
  }

  /// A response 1xx; `:status` of the map is not looked at. Its digits come from the map's arena.
  @inline(__always)
  public mutating func submitInterim(
    _ stream: HTTP2StreamRef, status: UInt16, _ map: borrowing HeaderMap
  ) -> Bool {
    ref.submitInterim(stream, status: status, map)
  }

  /// A request on a new stream, which waits when the peer has too many. Views of `map` must live
  /// until the head has been packed: until `output` is idle, unless ``activeCount`` is above
  /// ``peerMaxStreams``.
  ///
  /// - Parameter connectProtocol: Sends extended CONNECT (RFC 8441 section 4) for it instead of the map's method;
  ///   ``peerAllowsConnect`` says whether that may be.
  /// - Returns: Nil when the head is longer than 64 KiB or no stream may be opened.
  @inline(__always)
  public mutating func submitRequest(
    _ map: borrowing HeaderMap, connectProtocol: ByteView? = nil, ends: Bool, owner: UnsafeMutableRawPointer
  ) -> HTTP2StreamRef? {
    ref.submitRequest(map, connectProtocol: connectProtocol, ends: ends, owner: owner)
  }

  /// `bytes` more of the owner's body may be sent; `ends`: no more will come.
  ///
  /// - Parameter trailers: With `ends` only; must live until `ended`.
  @inline(__always)
  public mutating func offer(
    _ stream: HTTP2StreamRef, bytes: Int, ends: Bool, trailers: UnsafePointer<HeaderMap>? = nil
  ) {
    ref.offer(stream, bytes: bytes, ends: ends, trailers: trailers)
  }

  /// RST_STREAM: whatever of the stream is not packed is dropped, and no event names it again.
  @inline(__always)
  public mutating func reset(_ stream: HTTP2StreamRef, _ code: HTTP2Code) {
    ref.reset(stream, code)
  }

  /// The owner is gone: no event names the stream any more; its memory goes when the library has
  /// let go too. Once for each stream. What was offered and not taken will never come: then the stream
  /// is reset (CANCEL).
  @inline(__always)
  public mutating func release(_ stream: HTTP2StreamRef) { ref.release(stream) }

  /// PING, answered by `pong`.
  public mutating func ping(_ payload: UInt64) {
    withUnsafeBytes(of: payload.bigEndian) { bytes in
      _ = nghttp2_submit_ping(
        ref.pointee.library, 0, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    }
  }

  /// The first GOAWAY of a server that stops (RFC 9113 section 6.8): the client should open no more
  /// streams; those that are on their way are served. Nothing for a client.
  public mutating func announceShutdown() {
    if isServer { _ = nghttp2_submit_shutdown_notice(ref.pointee.library) }
  }

  /// GOAWAY with the last stream that was looked at; later ones are ignored. With an error code the
  /// connection is over: `output` says `failed` behind it.
  public mutating func shutDown(_ code: HTTP2Code, _ detail: StaticString) {
    let error = HTTP2Error(.shutDown, code: code, detail: detail)
    if code == .noError {
      ref.submitGoAway(error)
    } else {
      ref.pointee.failureIsToldToReceiver = true
      ref.queueFailure(error)
    }
  }
}

extension HTTP2SessionRef {
  func submitResponse(
    _ stream: HTTP2StreamRef, _ map: borrowing HeaderMap, ends: Bool
  ) -> Bool {
    if isOver(stream) { return false }
    var writer = HeaderListWriter(pointee.memory, fieldCount: map.slotCount &+ 1)
    writer.putResponse(map)
    if !writer.fits { return false }
    if ends {
      return nghttp2_submit_response(
        pointee.library, stream.pointee.id, writer.fields, writer.count, nil) == 0
    }
    var provider = provider(stream)
    return nghttp2_submit_response(
      pointee.library, stream.pointee.id, writer.fields, writer.count, &provider) == 0
  }

  func submitInterim(
    _ stream: HTTP2StreamRef, status: UInt16, _ map: borrowing HeaderMap
  ) -> Bool {
    if isOver(stream) { return false }
    assert(status >= 100 && status < 200 && status != 101)
    var writer = HeaderListWriter(pointee.memory, fieldCount: map.slotCount &+ 1)
    let digits = map.arenaPointer.pointee.allocate(4)
    writer.putInterim(status: ByteView(digits, Decimal.write(UInt64(status), to: digits)), map)
    if !writer.fits { return false }
    return nghttp2_submit_headers(
      pointee.library, 0, stream.pointee.id, nil, writer.fields, writer.count, nil) == 0
  }

  func submitRequest(
    _ map: borrowing HeaderMap, connectProtocol: ByteView?, ends: Bool, owner: UnsafeMutableRawPointer
  ) -> HTTP2StreamRef? {
    assert(!pointee.isServer)
    if pointee.failure != nil || nghttp2_session_check_request_allowed(pointee.library) == 0 {
      return nil
    }
    var writer = HeaderListWriter(pointee.memory, fieldCount: map.slotCount &+ 5)
    writer.putRequest(map, connectProtocol: connectProtocol)
    if !writer.fits { return nil }
    // Known before the call: the provider and the user data name the stream.
    let next = nghttp2_session_get_next_stream_id(pointee.library)
    guard next <= UInt32(Int32.max) else { return nil }
    let stream = makeStream(Int32(next))
    stream.pointee.flags.insert(.isOwned)
    stream.pointee.owner = owner
    switch connectProtocol == nil ? RequestMethod(map.value(.method) ?? .empty) : .connect {
    case .head: stream.pointee.flags.insert(.isHead)
    case .connect: stream.pointee.flags.insert(.isConnect)
    case .get, .options, .other: break
    }
    let id: Int32
    if ends {
      id = nghttp2_submit_request(
        pointee.library, nil, writer.fields, writer.count, nil, stream)
    } else {
      var provider = provider(stream)
      id = nghttp2_submit_request(
        pointee.library, nil, writer.fields, writer.count, &provider, stream)
    }
    if id == stream.pointee.id { return stream }
    pointee.activeCount &-= 1
    pointee.gate.streamClosed(stream.pointee.id, peerEnded: true)
    stream.pointee.flags.formUnion([.isClosed, .isReleased])
    freeIfDone(stream)
    return nil
  }

  func offer(
    _ stream: HTTP2StreamRef, bytes: Int, ends: Bool, trailers: UnsafePointer<HeaderMap>?
  ) {
    if isOver(stream) { return }
    assert(bytes >= 0 && !stream.pointee.flags.contains(.offersEnd))
    stream.pointee.offeredBytes &+= bytes
    if ends {
      stream.pointee.flags.insert(.offersEnd)
      stream.pointee.trailers = trailers
    }
    if stream.pointee.flags.contains(.isDeferred), bytes > 0 || ends {
      stream.pointee.flags.remove(.isDeferred)
      _ = nghttp2_session_resume_data(pointee.library, stream.pointee.id)
    }
  }

  func reset(_ stream: HTTP2StreamRef, _ code: HTTP2Code) {
    if isOver(stream) { return }
    stream.pointee.flags.insert(.resetByUs)
    dropDataStream(stream)
    _ = nghttp2_submit_rst_stream(pointee.library, 0, stream.pointee.id, code.rawValue)
  }

  func release(_ stream: HTTP2StreamRef) {
    assert(!stream.pointee.flags.contains(.isReleased), "released twice")
    if !stream.pointee.hasSentEnd { reset(stream, .cancel) }
    stream.pointee.flags.insert(.isReleased)
    stream.pointee.owner = nil
    stream.pointee.arena = nil
    stream.pointee.trailers = nil
    dropDataStream(stream)
    // What the owner kept counts against the connection for ever otherwise.
    consume(stream, stream.pointee.unconsumedBytes)
    freeIfDone(stream)
  }

  /// The rest of a DATA frame that is coming in for this stream is nobody's.
  private func dropDataStream(_ stream: HTTP2StreamRef) {
    if pointee.dataStream == stream { pointee.dataStream = nil }
  }

  private func isOver(_ stream: HTTP2StreamRef) -> Bool {
    !stream.pointee.flags.isDisjoint(with: [.isClosed, .resetByUs, .isReported])
  }

  private func provider(_ stream: HTTP2StreamRef) -> nghttp2_data_provider {
    nghttp2_data_provider(source: nghttp2_data_source(ptr: stream)) {
      _, _, _, limit, flags, source, context in
      sessionRef(context).take(
        source.unsafelyUnwrapped.pointee.ptr.assumingMemoryBound(to: HTTP2Stream.self), limit,
        flags.unsafelyUnwrapped)
    }
  }
}
