/// Counts frames that cost more to take than to send, and says when a peer has sent too many.
///
/// It sees headers of frames only, before the library does: also of those that the library ignores.
struct FrameBudget {
  private let limits: FrameBudgets
  private let blockBytesMax: UInt32
  private let isServer: Bool

  private var emptyFrames: UInt32 = 0
  private var priorityFrames: UInt64 = 0
  private var windowUpdates: UInt64 = 0
  private var continuations: UInt32 = 0
  private var resets: TokenBucket
  private var controls: TokenBucket

  /// Streams that were begun, by either side.
  var streamsBegun: UInt64 = 0
  var openStreams: UInt64 = 0
  var dataFramesSent: UInt64 = 0

  init(_ options: HTTP2Options, isServer: Bool) {
    limits = options.budgets
    self.isServer = isServer
    // A block can be longer than what it decodes to by its own framing and by table sizes.
    let bytes = 2 * UInt64(options.headBytesMax) + 16 * 1024
    blockBytesMax = UInt32(clamping: bytes)
    resets = TokenBucket(burst: limits.resetBurst, perSecond: limits.resetsPerSecond)
    controls = TokenBucket(burst: limits.controlBurst, perSecond: limits.controlsPerSecond)
  }

  /// - Parameter paddingBytes: Of DATA.
  @inline(__always)
  mutating func data(_ header: FrameHeader, paddingBytes: Int) -> HTTP2Error? {
    let isEmpty =
      header.length <= paddingBytes && header.flags & FrameFlag.endStream == 0
    return content(isEmpty: isEmpty)
  }

  @inline(__always)
  mutating func headers(_ header: FrameHeader) -> HTTP2Error? {
    continuations = 0
    if header.length > Int(blockBytesMax) { return HTTP2Error(.headerBlockFlood) }
    return content(
      isEmpty: header.length == 0 && header.flags & FrameFlag.endStream == 0)
  }

  /// - Parameter blockBytes: Of the block with this frame.
  mutating func continuation(_ header: FrameHeader, blockBytes: UInt32) -> HTTP2Error? {
    continuations &+= 1
    if continuations > limits.continuationsMax { return HTTP2Error(.continuationFramesFlood) }
    if blockBytes > blockBytesMax { return HTTP2Error(.headerBlockFlood) }
    return content(isEmpty: header.length == 0)
  }

  @inline(__always)
  private mutating func content(isEmpty: Bool) -> HTTP2Error? {
    if !isEmpty {
      emptyFrames = 0
      return nil
    }
    emptyFrames &+= 1
    return emptyFrames > limits.emptyFramesMax ? HTTP2Error(.emptyFramesFlood) : nil
  }

  mutating func priority() -> HTTP2Error? {
    priorityFrames &+= 1
    let allowed = UInt64(limits.priorityFramesPerStream) &* (1 &+ streamsBegun)
    return priorityFrames > allowed ? HTTP2Error(.priorityFramesFlood) : nil
  }

  mutating func windowUpdate() -> HTTP2Error? {
    windowUpdates &+= 1
    // Envoy's formula: two for each stream, and so many for each DATA frame.
    let perData = UInt64(limits.windowUpdatesPerData) &* dataFramesSent
    return windowUpdates > 5 &+ 2 &* (streamsBegun &+ perData)
      ? HTTP2Error(.windowUpdateFramesFlood) : nil
  }

  /// RST_STREAM, or a stream error that the peer caused: making us reset costs the same as resetting.
  ///
  /// Not for a client: a server that refuses many requests is busy, not hostile.
  mutating func reset(now: UInt64) -> HTTP2Error? {
    if !isServer || limits.resetBurst == 0 { return nil }
    return resets.take(1, now: now) ? nil : HTTP2Error(.resetFramesFlood)
  }

  /// SETTINGS go through all open streams; the others cost one.
  mutating func control(_ header: FrameHeader, now: UInt64) -> HTTP2Error? {
    let cost = header.type == FrameType.settings ? 1 &+ openStreams / 16 : 1
    return controls.take(cost, now: now) ? nil : HTTP2Error(.controlFramesFlood)
  }
}
