import Primitives

/// Finds where frames are in the input and judges them, before the library sees them: what they cost
/// (``FrameBudget``), and rules about streams that the library does not enforce.
///
/// A frame's header is held back until it is whole, together with the few payload bytes that a
/// verdict needs (13 bytes of PRIORITY, the pad length of DATA): so the way a peer's bytes are cut
/// never changes what becomes of them.
struct FrameGate {
  enum Step {
    case needMore
    /// Bytes of the input that belong to one frame.
    case piece(from: Int, to: Int)
    /// The first bytes of a frame, collected in ``held``.
    case held
    case refused(HTTP2Error)
  }

  /// The frame that the last piece belongs to.
  private(set) var header = FrameHeader(length: 0, type: 0xFF, flags: 0, streamID: 0)
  /// Of a DATA frame: the pad length's byte and the padding.
  private(set) var paddingBytes = 0
  /// What the last piece is of its frame.
  private(set) var startsFrame = false
  private(set) var endsFrame = false
  /// A header block has begun and not ended.
  private(set) var isInHeaderBlock = false
  /// Bytes of the frames of the header block that was begun last.
  private(set) var blockBytes: UInt32 = 0

  private(set) var held = InlineArray<13, UInt8>(repeating: 0)
  private(set) var heldCount = 0
  private var payloadLeft = 0
  /// Bytes of the client's preface that have not come.
  private var prefaceLeft: Int
  private let isServer: Bool
  var budget: FrameBudget
  /// Streams of a client; a server opens none.
  private var ids = StreamIDWindow()
  /// The time of the call.
  private var now: UInt64 = 0

  init(_ options: HTTP2Options, isServer: Bool) {
    self.isServer = isServer
    budget = FrameBudget(options, isServer: isServer)
    prefaceLeft = isServer ? HTTP2Preface.bytes.count : 0
  }

  mutating func next(_ bytes: ByteView, _ offset: inout Int, now: UInt64) -> Step {
    self.now = now
    if prefaceLeft > 0, let step = preface(bytes, &offset) { return step }
    let available = bytes.count &- offset
    if available == 0 { return .needMore }
    if payloadLeft > 0 {
      let count = min(payloadLeft, available)
      return piece(offset, count, starts: false, left: payloadLeft &- count, &offset)
    }
    if heldCount == 0, available >= FrameHeader.byteCount {
      let start = bytes.base + offset
      header = FrameHeader(start)
      if available >= FrameHeader.byteCount &+ judgedPayload {
        if let error = begin(start + FrameHeader.byteCount) { return .refused(error) }
        let total = FrameHeader.byteCount &+ header.length
        let count = min(total, available)
        return piece(offset, count, starts: true, left: total &- count, &offset)
      }
    }
    return hold(bytes, &offset)
  }

  @inline(__always)
  private mutating func piece(
    _ from: Int, _ count: Int, starts: Bool, left: Int, _ offset: inout Int
  ) -> Step {
    offset = from &+ count
    payloadLeft = left
    startsFrame = starts
    endsFrame = left == 0
    if endsFrame { end() }
    return .piece(from: from, to: from &+ count)
  }

  /// Collects a header that comes in parts.
  @inline(never)
  private mutating func hold(_ bytes: ByteView, _ offset: inout Int) -> Step {
    while offset < bytes.count {
      held[heldCount] = bytes.base[offset]
      heldCount += 1
      offset += 1
      if heldCount < FrameHeader.byteCount { continue }
      var copy = held
      let error: HTTP2Error?? = withUnsafePointer(to: &copy) { pointer in
        let start = UnsafeRawPointer(pointer).assumingMemoryBound(to: UInt8.self)
        header = FrameHeader(start)
        if heldCount < FrameHeader.byteCount + judgedPayload { return .none }
        return .some(begin(start + FrameHeader.byteCount))
      }
      guard let verdict = error else { continue }
      if let refusal = verdict { return .refused(refusal) }
      payloadLeft = FrameHeader.byteCount + header.length - heldCount
      startsFrame = true
      endsFrame = payloadLeft == 0
      if endsFrame { end() }
      return .held
    }
    return .needMore
  }

  /// After ``Step/held`` was taken.
  mutating func clearHeld() { heldCount = 0 }

  /// Bytes of the payload that a verdict needs.
  @inline(__always)
  private var judgedPayload: Int {
    switch header.type {
    case FrameType.data: header.flags & FrameFlag.padded != 0 && header.length > 0 ? 1 : 0
    case FrameType.priority: header.length == 5 ? 4 : 0
    default: 0
    }
  }

  /// Compares the preface; the library was given it when the session was made.
  private mutating func preface(_ bytes: ByteView, _ offset: inout Int) -> Step? {
    let wanted = HTTP2Preface.bytes
    while prefaceLeft > 0 {
      if offset == bytes.count { return .needMore }
      if bytes.base[offset] != wanted.base[wanted.count - prefaceLeft] {
        return .refused(HTTP2Error(.badPreface))
      }
      offset += 1
      prefaceLeft -= 1
    }
    return nil
  }

  /// A frame's header, and ``judgedPayload`` bytes behind it, are there.
  ///
  /// - Returns: Why the frame ends the connection.
  @inline(__always)
  private mutating func begin(_ payload: UnsafePointer<UInt8>) -> HTTP2Error? {
    switch header.type {
    case FrameType.data:
      paddingBytes = judgedPayload == 1 ? 1 &+ Int(payload[0]) : 0
      if isServer, let error = judgeStream() { return error }
      return budget.data(header, paddingBytes: paddingBytes)
    case FrameType.headers: return beginBlock()
    default: return beginOther(payload)
    }
  }

  @inline(__always)
  private mutating func beginBlock() -> HTTP2Error? {
    isInHeaderBlock = true
    blockBytes = UInt32(truncatingIfNeeded: FrameHeader.byteCount &+ header.length)
    if isServer {
      let id = header.streamID
      if id & 1 == 1, ids.isNew(id) {
        ids.begin(id)
        budget.streamsBegun &+= 1
      } else if let error = judgeStream() {
        return error
      }
    }
    return budget.headers(header)
  }

  @inline(never)
  private mutating func beginOther(_ payload: UnsafePointer<UInt8>) -> HTTP2Error? {
    switch header.type {
    case FrameType.priority:
      if header.length == 5 {
        let raw = UnsafeRawPointer(payload)
        let parent = UInt32(bigEndian: raw.loadUnaligned(as: UInt32.self)) & 0x7FFF_FFFF
        // RFC 9113 section 6.3; RFC 7540 section 5.3.1.
        if header.streamID == 0 || parent == UInt32(bitPattern: header.streamID) {
          return HTTP2Error(.protocolViolation)
        }
      } else {
        return HTTP2Error(
          .protocolViolation, code: .frameSizeError, detail: "http2.frame_size_error")
      }
      return budget.priority()
    case FrameType.priorityUpdate: return budget.priority()
    case FrameType.reset:
      if isServer, header.streamID & 1 == 1 { ids.end(header.streamID) }
      return budget.reset(now: now)
    case FrameType.windowUpdate: return budget.windowUpdate()
    case FrameType.continuation:
      blockBytes &+= UInt32(truncatingIfNeeded: FrameHeader.byteCount &+ header.length)
      return budget.continuation(header, blockBytes: blockBytes)
    case FrameType.pushPromise:
      // Clients may not, and our SETTINGS came before every request that a server could push for.
      return HTTP2Error(.protocolViolation)
    default: return budget.control(header, now: now)
    }
  }

  /// DATA or HEADERS for a stream that was seen before, of a client.
  @inline(__always)
  private func judgeStream() -> HTTP2Error? {
    guard header.streamID & 1 == 1 else { return nil }
    switch ids.state(header.streamID) {
    case .none, .open, .resetByUs: return nil
    case .ended: return HTTP2Error(.streamClosed)
    case .neverOpened: return HTTP2Error(.protocolViolation)
    }
  }

  // MARK: What the session knows

  mutating func streamOpened(_ id: Int32) {
    budget.openStreams &+= 1
    if isServer { ids.open(id) } else { budget.streamsBegun &+= 1 }
  }

  /// - Parameter peerEnded: The peer said that it sends nothing more.
  mutating func streamClosed(_ id: Int32, peerEnded: Bool) {
    budget.openStreams &-= 1
    if isServer { ids.close(id, peerEnded: peerEnded) }
  }

  /// The peer made us reset a stream.
  mutating func chargeReset() -> HTTP2Error? { budget.reset(now: now) }

  /// The frame's last byte was handed out.
  @inline(__always)
  private mutating func end() {
    guard isInHeaderBlock, header.flags & FrameFlag.endHeaders != 0 else { return }
    switch header.type {
    case FrameType.headers, FrameType.continuation: isInHeaderBlock = false
    default: break
    }
  }
}
