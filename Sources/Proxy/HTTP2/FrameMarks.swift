/// How many frames of a connection are not sent yet.
///
/// Frames are counted in two lots, each with the place in the stream of bytes where it ends: when that place has been
/// sent, the lot is forgotten. So a frame costs two additions and no memory, and the count is at most one lot too high.
struct FrameMarks {
  private struct Lot {
    var frames: UInt32 = 0
    var controls: UInt32 = 0
    var end: UInt64 = 0
  }

  private var older = Lot()
  private var newer = Lot()
  private var queuedBytes: UInt64 = 0
  private var sentBytes: UInt64 = 0

  var frames: UInt32 { older.frames &+ newer.frames }
  /// Answers to SETTINGS and PING, RST_STREAM.
  var controls: UInt32 { older.controls &+ newer.controls }

  /// - Parameter bytes: Of the whole frame.
  mutating func queued(bytes: Int, isControl: Bool) {
    queuedBytes &+= UInt64(bytes)
    newer.frames &+= 1
    if isControl { newer.controls &+= 1 }
    newer.end = queuedBytes
    if older.frames == 0 { rotate() }
  }

  mutating func sent(_ bytes: Int) {
    sentBytes &+= UInt64(bytes)
    if older.frames > 0, sentBytes >= older.end { rotate() }
    if older.frames > 0, sentBytes >= older.end { rotate() }
  }

  private mutating func rotate() {
    older = newer
    newer = Lot()
  }
}
