import CNGHTTP2
import HTTPCore
import Primitives

extension HTTP2Session {
  /// The next thing to send; to be called until it says ``HTTP2Output/idle`` or `failed`, before any
  /// other session of the thread is used.
  ///
  /// - Parameter mayTakeData: Whether there is room for DATA. Heads and control frames come anyway.
  @inline(__always)
  public mutating func output(mayTakeData: Bool) -> HTTP2Output {
    ref.output(mayTakeData: mayTakeData)
  }

  /// There is something to send that does not wait for the peer. DATA counts when windows allow it.
  public var wantsOutput: Bool {
    if failureWasSent { return false }
    return owesPreface || !sent.isEmpty || nghttp2_session_want_write(library) != 0
  }
}

extension HTTP2SessionRef {
  func output(mayTakeData: Bool) -> HTTP2Output {
    let memory = pointee.memory
    assert(memory.pointee.active == nil || memory.pointee.active == self)
    if !pointee.sent.isEmpty, let told = takeSent() { return told }
    if pointee.failureWasSent {
      memory.pointee.active = nil
      return .failed(pointee.failure ?? HTTP2Error(.library))
    }
    if pointee.owesPreface { return takePreface() }
    memory.pointee.active = self
    pointee.mayTakeData = mayTakeData
    pointee.packed = nil
    pointee.isSending = true
    var start: UnsafePointer<UInt8>?
    let count = nghttp2_session_mem_send(pointee.library, &start)
    pointee.isSending = false
    if count > 0, let start { return bytes(ByteView(start, count)) }
    if count < 0 {
      // Out of memory, or a state that should not be: nothing can be said any more.
      if pointee.failure == nil { pointee.failure = HTTP2Error(.library) }
      pointee.failureWasSent = true
      memory.pointee.active = nil
      return .failed(pointee.failure ?? HTTP2Error(.library))
    }
    if let packed = pointee.packed {
      pointee.counters.dataFramesSent &+= 1
      pointee.gate.budget.dataFramesSent &+= 1
      return .data(packed.stream, header: packed.header, count: packed.count, ends: packed.ends)
    }
    if !pointee.sent.isEmpty, let told = takeSent() { return told }
    memory.pointee.active = nil
    return .idle
  }

  @inline(__always)
  private func bytes(_ view: ByteView) -> HTTP2Output {
    let type = view.count >= FrameHeader.byteCount ? view.base[3] : 0xFF
    switch type {
    case FrameType.reset:
      pointee.counters.resetsSent &+= 1
      return .bytes(view, isControl: true)
    case FrameType.settings, FrameType.ping: return .bytes(view, isControl: true)
    case FrameType.goAway:
      noteGoAway(view)
      return .bytes(view, isControl: false)
    default: return .bytes(view, isControl: false)
    }
  }

  /// With an error in it this is the last frame: the library would go on with what is queued.
  @inline(never)
  private func noteGoAway(_ frame: ByteView) {
    guard frame.count >= FrameHeader.byteCount + 8 else { return }
    let raw = UnsafeRawPointer(frame.base)
    let code = HTTP2Code(
      rawValue: UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: 13, as: UInt32.self)))
    if code == .noError { return }
    pointee.failureWasSent = true
    if pointee.failure == nil {
      // The library's own: it knows what was wrong, we learn the code.
      let reason: HTTP2Error.Reason =
        switch code {
        case .streamClosed: .streamClosed
        case .compressionError: .badCompression
        default: .protocolViolation
        }
      pointee.failure = HTTP2Error(reason, code: code, detail: HTTP2Error(reason).detail)
    }
  }

  @inline(never)
  private func takePreface() -> HTTP2Output {
    pointee.owesPreface = false
    let offset = MemoryLayout<HTTP2Session>.offset(of: \.preface).unsafelyUnwrapped
    let start = UnsafeRawPointer(self) + offset
    return .bytes(ByteView(start.assumingMemoryBound(to: UInt8.self), 24), isControl: false)
  }

  private func takeSent() -> HTTP2Output? {
    while let stream = pointee.sent.removeFirst() {
      let tellsEnd = stream.pointee.flags.contains(.tellsEnd)
      stream.pointee.flags.remove(.tellsEnd)
      if stream.pointee.flags.contains(.isReleased) {
        freeIfDone(stream)
        continue
      }
      if stream.pointee.isSilent { continue }
      if tellsEnd { return .ended(stream) }
      stream.pointee.flags.insert(.isReported)
      return .closed(stream, stream.pointee.closeCode)
    }
    return nil
  }
}

// What the library's callbacks do while it sends.
extension HTTP2SessionRef {
  /// How much of the owner's body goes into the next DATA frame.
  ///
  /// - Parameter limit: What windows and the frame size allow.
  func take(_ stream: HTTP2StreamRef, _ limit: Int, _ flags: UnsafeMutablePointer<UInt32>) -> Int {
    let offered = stream.pointee.offeredBytes
    let offersEnd = stream.pointee.flags.contains(.offersEnd)
    if offered == 0, !offersEnd {
      stream.pointee.flags.insert(.isDeferred)
      return Int(cng_err_deferred)
    }
    if !pointee.mayTakeData { return Int(cng_err_pause) }
    let count = min(offered, limit)
    flags.pointee |= cng_data_no_copy
    if offersEnd, count == offered {
      flags.pointee |= cng_data_eof
      if let trailers = stream.pointee.trailers {
        switch submitTrailers(stream, trailers) {
        case .queued: flags.pointee |= cng_data_no_end_stream
        case .empty: break
        case .tooLong: return Int(cng_err_refuse_stream)
        }
      }
    }
    return count
  }

  private enum TrailerOutcome { case queued, empty, tooLong }

  private func submitTrailers(
    _ stream: HTTP2StreamRef, _ trailers: UnsafePointer<HeaderMap>
  ) -> TrailerOutcome {
    var writer = HeaderListWriter(pointee.memory, fieldCount: trailers.pointee.slotCount)
    writer.putTrailers(trailers.pointee)
    if writer.count == 0 { return .empty }
    if !writer.fits { return .tooLong }
    let result = nghttp2_submit_trailer(
      pointee.library, stream.pointee.id, writer.fields, writer.count)
    return result == 0 ? .queued : .tooLong
  }

  /// A DATA frame is due: its nine bytes are kept, its payload is the owner's to send.
  func pack(
    _ frame: UnsafeMutablePointer<nghttp2_frame>, _ header: UnsafePointer<UInt8>, _ count: Int,
    _ source: UnsafeMutableRawPointer?
  ) -> Int32 {
    let stream = source.unsafelyUnwrapped.assumingMemoryBound(to: HTTP2Stream.self)
    let ends = cng_header(frame).pointee.flags & FrameFlag.endStream != 0
    var copy = InlineArray<9, UInt8>(repeating: 0)
    for i in 0..<9 { copy[i] = header[i] }
    stream.pointee.offeredBytes &-= count
    pointee.packed = HTTP2Session.PackedData(
      stream: stream, header: copy, count: count, ends: ends)
    // The frame counts as sent, and the library returns with it.
    return cng_err_pause
  }

  func frameSent(_ frame: UnsafePointer<nghttp2_frame>) {
    let header = cng_header(frame)
    let type = header.pointee.type
    guard type == FrameType.data || type == FrameType.headers,
      header.pointee.flags & FrameFlag.endStream != 0,
      let stream = stream(header.pointee.stream_id)
    else { return }
    stream.pointee.flags.insert(.sendEnded)
    if stream.pointee.isSilent || !stream.pointee.flags.contains(.isOwned) { return }
    stream.pointee.flags.insert(.tellsEnd)
    if !stream.pointee.flags.contains(.isInSentList) { pointee.sent.append(stream) }
  }

  /// A frame that the library gave up. A response's head that it cannot send leaves a stream that
  /// would never end.
  func frameNotSent(_ frame: UnsafePointer<nghttp2_frame>, _ code: Int32) {
    let header = cng_header(frame)
    guard header.pointee.type == FrameType.headers,
      cng_headers_category(frame) != cng_hcat_request
    else { return }
    switch code {
    case cng_err_stream_closed, cng_err_stream_closing, cng_err_stream_shut_wr,
      cng_err_session_closing:
      return
    default:
      _ = nghttp2_submit_rst_stream(
        pointee.library, 0, header.pointee.stream_id, HTTP2Code.internalError.rawValue)
    }
  }
}
