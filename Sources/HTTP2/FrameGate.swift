import Primitives

/// Finds where frames are in the input, before the library sees them.
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

  init(isServer: Bool) {
    prefaceLeft = isServer ? HTTP2Preface.bytes.count : 0
  }

  mutating func next(_ bytes: ByteView, _ offset: inout Int, now: UInt64) -> Step {
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
        if let error = begin(start + FrameHeader.byteCount, now) { return .refused(error) }
        let total = FrameHeader.byteCount &+ header.length
        let count = min(total, available)
        return piece(offset, count, starts: true, left: total &- count, &offset)
      }
    }
    return hold(bytes, &offset, now)
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
  private mutating func hold(_ bytes: ByteView, _ offset: inout Int, _ now: UInt64) -> Step {
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
        return .some(begin(start + FrameHeader.byteCount, now))
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
  @inline(__always)
  private mutating func begin(_ payload: UnsafePointer<UInt8>, _ now: UInt64) -> HTTP2Error? {
    switch header.type {
    case FrameType.data:
      paddingBytes = judgedPayload == 1 ? 1 &+ Int(payload[0]) : 0
    case FrameType.headers, FrameType.pushPromise:
      isInHeaderBlock = true
      blockBytes = UInt32(truncatingIfNeeded: FrameHeader.byteCount &+ header.length)
    case FrameType.continuation:
      // A sum of frames below 16 MiB each stays in range: the library refuses what is too long.
      blockBytes &+= UInt32(truncatingIfNeeded: FrameHeader.byteCount &+ header.length)
    default: break
    }
    return nil
  }

  /// The frame's last byte was handed out.
  @inline(__always)
  private mutating func end() {
    guard isInHeaderBlock, header.flags & FrameFlag.endHeaders != 0 else { return }
    switch header.type {
    case FrameType.headers, FrameType.pushPromise, FrameType.continuation: isInHeaderBlock = false
    default: break
    }
  }
}
