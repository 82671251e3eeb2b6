/// How many frames of a kind a peer may send before it is taken for hostile.
@frozen
public struct FrameBudgets: Sendable, Equatable {
  /// DATA, HEADERS and CONTINUATION frames in a row without payload and END_STREAM.
  public var emptyFramesMax: UInt32 = 1
  /// PRIORITY and PRIORITY_UPDATE frames for each stream, and for the connection.
  public var priorityFramesPerStream: UInt32 = 100
  /// WINDOW_UPDATE frames for each DATA frame sent.
  public var windowUpdatesPerData: UInt32 = 10
  /// RST_STREAM frames, and stream errors that the peer caused, at once; 0 = not limited.
  public var resetBurst: UInt32 = 1000
  /// The same, each second.
  public var resetsPerSecond: UInt32 = 33
  /// SETTINGS (each counts 1 and a sixteenth of the open streams), PING and unknown frames at once.
  public var controlBurst: UInt32 = 1000
  /// The same, each second.
  public var controlsPerSecond: UInt32 = 500
  /// CONTINUATION frames of one header block.
  public var continuationsMax: UInt32 = 128

  public init() {}
}
