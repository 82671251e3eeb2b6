import CNGHTTP2
import HTTPCore
import Primitives

extension HTTP2Session {
  /// Takes the next frame, or a part of one, from `bytes[offset...]`; to be called until it says
  /// ``HTTP2Event/needMore``.
  ///
  /// - Parameters:
  ///   - offset: Is moved behind what was taken.
  ///   - now: Nanoseconds of a clock that only goes forward.
  /// - Returns: At most one event; the order of events does not depend on how the input is cut.
  @inline(__always)
  public mutating func next(_ bytes: ByteView, _ offset: inout Int, now: UInt64) -> HTTP2Event {
    ref.next(bytes, &offset, now: now)
  }

  /// The list of a request, with its arena: `arena`, which must be empty, takes over what the
  /// session's held.
  @inline(__always)
  public mutating func takeRequest(into arena: UnsafeMutablePointer<Arena>) -> HeaderMap {
    ref.takeRequest(into: arena)
  }

  /// The peer may send `count` bytes more, on the stream and on the connection.
  @inline(__always)
  public mutating func consume(_ stream: HTTP2StreamRef, _ count: Int) {
    ref.consume(stream, count)
  }
}

extension HTTP2SessionRef {
  func next(_ bytes: ByteView, _ offset: inout Int, now: UInt64) -> HTTP2Event {
    assert(pointee.memory.pointee.active == nil, "another session's frames are being drained")
    if pointee.builder.holdsList { dropList() }
    if !pointee.closed.isEmpty, let event = takeClosed() { return event }
    if let failure = pointee.failure { return ended(failure, &offset, bytes.count) }
    while true {
      switch pointee.gate.next(bytes, &offset, now: now) {
      case .needMore: return .needMore
      case .refused(let error): return fail(error)
      case .piece(let from, let to): feed(bytes.base + from, to &- from, bytes.base)
      case .held: feedHeld(bytes.base)
      }
      if let failure = pointee.record.failure { queueFailure(failure) }
      if pointee.record.hasEvent { return pointee.record.event }
      if let failure = pointee.failure { return ended(failure, &offset, bytes.count) }
    }
  }

  /// Nothing reaches the library after a failure: whoever did not hear of it does now.
  @inline(never)
  private func ended(_ failure: HTTP2Error, _ offset: inout Int, _ count: Int) -> HTTP2Event {
    offset = count
    if pointee.failureIsToldToReceiver { return .needMore }
    pointee.failureIsToldToReceiver = true
    return .failed(failure)
  }

  @inline(never)
  private func feedHeld(_ base: UnsafePointer<UInt8>) {
    var held = pointee.gate.held
    let count = pointee.gate.heldCount
    pointee.gate.clearHeld()
    withUnsafePointer(to: &held) { pointer in
      feed(UnsafeRawPointer(pointer).assumingMemoryBound(to: UInt8.self), count, base)
    }
  }

  /// One piece of one frame through the library.
  @inline(__always)
  private func feed(_ start: UnsafePointer<UInt8>, _ count: Int, _ base: UnsafePointer<UInt8>) {
    pointee.record = HTTP2Session.Record()
    pointee.inputBase = base
    if pointee.gate.startsFrame, pointee.gate.header.type == FrameType.data { beginData() }
    let result = nghttp2_session_mem_recv(pointee.library, start, count)
    if result < 0 {
      pointee.record.failure = HTTP2Error(.library)
    } else if pointee.gate.endsFrame, !pointee.record.isComplete {
      lookAtSilentFrame()
    }
  }

  /// A DATA frame begins: body lengths are checked here, because the library drops a frame that is
  /// too long without a word, and as much of it as it happens to see at once.
  @inline(__always)
  private func beginData() {
    let header = pointee.gate.header
    pointee.dataStream = nil
    guard let stream = stream(header.streamID) else { return }
    if stream.pointee.isSilent || stream.pointee.flags.contains(.receiveEnded) { return }
    let count = Int64(header.length &- pointee.gate.paddingBytes)
    if count < 0 { return }  // the library refuses it
    let received = stream.pointee.receivedBytes &+ count
    stream.pointee.receivedBytes = received
    let expected = stream.pointee.expectedBytes
    let ends = header.flags & FrameFlag.endStream != 0
    if expected >= 0, received > expected || (ends && received != expected) {
      return malformed(stream, HTTP2Error(.bodyLength), closes: false)
    }
    // After a response 1xx comes a head, not content. Before any head it is the library's to say.
    if !stream.pointee.flags.contains(.hasHead), pointee.isServer || stream.pointee.flags.contains(.hasInterim) {
      return malformed(
        stream, HTTP2Error(.messagingRule), closes: pointee.builder.closesOnMalformed)
    }
    pointee.dataStream = stream
  }

  /// The library took a whole frame and said nothing: it ignored it, or it gave up the connection.
  ///
  /// There is no way to ask which. An answer to a PING that was never sent makes a living session
  /// call back and changes nothing.
  @inline(never)
  private func lookAtSilentFrame() {
    let type = pointee.gate.header.type
    switch type {
    case FrameType.priority, FrameType.priorityUpdate, (FrameType.continuation + 1)...: return
    case FrameType.headers, FrameType.continuation:
      if pointee.gate.isInHeaderBlock { return }
    default: break
    }
    let saved = pointee.record
    pointee.record = HTTP2Session.Record()
    let answer: InlineArray<17, UInt8> = [
      0, 0, 8, FrameType.ping, FrameFlag.acknowledgement, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]
    withUnsafePointer(to: answer) { pointer in
      let start = UnsafeRawPointer(pointer).assumingMemoryBound(to: UInt8.self)
      _ = nghttp2_session_mem_recv(pointee.library, start, 17)
    }
    let isAlive = pointee.record.isComplete || nghttp2_session_want_read(pointee.library) == 0
    pointee.record = saved
    if isAlive || pointee.record.failure != nil { return }
    switch type {
    case FrameType.headers, FrameType.continuation:
      pointee.record.failure = HTTP2Error(.badCompression)
    default: pointee.record.failure = HTTP2Error(.protocolViolation)
    }
  }

  // MARK: Ends

  /// The next stream that the library closed while it was receiving.
  @inline(never)
  private func takeClosed() -> HTTP2Event? {
    while let stream = pointee.closed.removeFirst() {
      if stream.pointee.flags.contains(.isReleased) {
        freeIfDone(stream)
        continue
      }
      if stream.pointee.isSilent { continue }
      stream.pointee.flags.insert(.isReported)
      let code = stream.pointee.closeCode
      return .reset(stream, code, byPeer: true, isUnprocessed: code == .refusedStream)
    }
    return nil
  }

  /// Ends the connection: GOAWAY with what is wrong.
  @inline(never)
  func fail(_ error: HTTP2Error) -> HTTP2Event {
    queueFailure(error)
    pointee.failureIsToldToReceiver = true
    return .failed(error)
  }

  func queueFailure(_ error: HTTP2Error) {
    if pointee.failure != nil { return }
    pointee.failure = error
    submitGoAway(error)
    // From here on the library takes nothing and sends nothing but GOAWAY, of which ours, with the
    // detail, is the first.
    _ = nghttp2_session_terminate_session2(
      pointee.library, nghttp2_session_get_last_proc_stream_id(pointee.library),
      error.code.rawValue)
  }

  func submitGoAway(_ error: HTTP2Error) {
    let detail = ByteView(error.detail)
    _ = nghttp2_submit_goaway(
      pointee.library, 0, nghttp2_session_get_last_proc_stream_id(pointee.library),
      error.code.rawValue, detail.base, detail.count)
  }

  /// A malformed message: RST_STREAM at once, GOAWAY too when the options say so.
  ///
  /// - Parameter closes: Whether the connection ends with it.
  func malformed(_ stream: HTTP2StreamRef, _ error: HTTP2Error, closes: Bool) {
    _ = nghttp2_submit_rst_stream(
      pointee.library, 0, stream.pointee.id, error.code.rawValue)
    if !stream.pointee.isSilent {
      let isNew = !stream.pointee.flags.contains(.isOwned)
      if isNew, pointee.builder.kind == .request { pointee.builder.holdsList = true }
      stream.pointee.flags.formUnion([.isReported, .isOwned])
      pointee.record.event = .malformed(stream, error)
      pointee.record.hasEvent = true
    }
    if closes {
      queueFailure(error)
    } else {
      chargeReset()
    }
  }

  /// A stream error that the peer caused.
  func chargeReset() {
    if let flood = pointee.gate.chargeReset() { queueFailure(flood) }
  }

  // MARK: Windows

  func consume(_ stream: HTTP2StreamRef, _ count: Int) {
    let count = min(count, stream.pointee.unconsumedBytes)
    if count <= 0 { return }
    stream.pointee.unconsumedBytes &-= count
    _ = nghttp2_session_consume(pointee.library, stream.pointee.id, count)
  }

  // MARK: Lists

  func takeRequest(into arena: UnsafeMutablePointer<Arena>) -> HeaderMap {
    assert(pointee.builder.holdsList && pointee.builder.arena == headerArena)
    assert(arena.pointee.allocatedBytes == 0)
    arena.pointee = pointee.headerArena
    pointee.headerArena = pointee.memory.pointee.arenas._withUnsafeGuaranteedRef { Arena(pool: $0) }
    var map = pointee.builder.map
    map.rebase(onto: arena)
    // A malformed request's block may go on: its fields are nobody's.
    pointee.builder.begin(.ignored, in: headerArena)
    pointee.builder.holdsList = false
    return map
  }

  /// A request's list that nobody took.
  @inline(never)
  private func dropList() {
    pointee.builder.begin(.ignored, in: headerArena)
    pointee.builder.holdsList = false
    pointee.headerArena.reset()
  }

  // MARK: Streams

  @inline(__always)
  func stream(_ id: Int32) -> HTTP2StreamRef? {
    nghttp2_session_get_stream_user_data(pointee.library, id)?
      .assumingMemoryBound(to: HTTP2Stream.self)
  }

  func makeStream(_ id: Int32) -> HTTP2StreamRef {
    let stream = pointee.memory.pointee.makeStream(id)
    stream.pointee.next = pointee.firstStream
    pointee.firstStream?.pointee.previous = stream
    pointee.firstStream = stream
    pointee.activeCount &+= 1
    pointee.gate.streamOpened(id)
    return stream
  }

  /// Frees a stream that neither its owner nor the library nor a list needs.
  func freeIfDone(_ stream: HTTP2StreamRef) {
    let flags = stream.pointee.flags
    guard flags.contains([.isReleased, .isClosed]) else { return }
    if !flags.isDisjoint(with: [.isInClosedList, .isInSentList]) { return }
    if pointee.dataStream == stream { pointee.dataStream = nil }
    if let previous = stream.pointee.previous {
      previous.pointee.next = stream.pointee.next
    } else {
      pointee.firstStream = stream.pointee.next
    }
    stream.pointee.next?.pointee.previous = stream.pointee.previous
    pointee.memory.pointee.freeStream(stream)
  }
}
