/// What became of the newest 512 streams that a client opened, in two bits each.
///
/// The library forgets a stream when it is closed, and then cannot tell a frame that was on its way
/// when we reset the stream (to be ignored) from one that should never have been sent (RFC 9113
/// section 5.1). Frames for streams older than the window are left to the library, which ignores
/// them.
struct StreamIDWindow {
  enum State: UInt8 {
    /// Passed over by a higher id.
    case neverOpened
    case open
    /// The client sends nothing more: it said END_STREAM or RST_STREAM.
    case ended
    /// We reset or refused it, and the client may not know.
    case resetByUs
  }

  static let count = 512

  private var words = InlineArray<16, UInt64>(repeating: 0)
  /// The highest id seen, which is odd.
  private(set) var newest: Int32 = -1

  /// - Parameter id: Odd.
  /// - Returns: Nil for an id above all seen, or below the window.
  @inline(__always)
  func state(_ id: Int32) -> State? {
    guard id <= newest, (newest &- id) / 2 < Int32(Self.count) else { return nil }
    let place = Self.place(id)
    return State(rawValue: UInt8(truncatingIfNeeded: words[place.word] &>> place.shift & 3))
  }

  @inline(__always)
  func isNew(_ id: Int32) -> Bool { id > newest }

  /// A HEADERS frame with a new id: refused until the library opens the stream.
  @inline(__always)
  mutating func begin(_ id: Int32) {
    if id &- newest > 2 { pass(id) }
    newest = id
    write(id, .resetByUs)
  }

  /// Ids between the newest and `id` were never opened.
  @inline(never)
  private mutating func pass(_ id: Int32) {
    if id &- newest >= Int32(2 * Self.count) {
      words = InlineArray(repeating: 0)
      return
    }
    var skipped = newest &+ 2
    while skipped < id {
      write(skipped, .neverOpened)
      skipped &+= 2
    }
  }

  mutating func open(_ id: Int32) { set(id, .open) }

  /// The library let go of the stream.
  mutating func close(_ id: Int32, peerEnded: Bool) {
    if state(id) == .open { set(id, peerEnded ? .ended : .resetByUs) }
  }

  mutating func end(_ id: Int32) { set(id, .ended) }

  private mutating func set(_ id: Int32, _ state: State) {
    if self.state(id) != nil { write(id, state) }
  }

  @inline(__always)
  private mutating func write(_ id: Int32, _ state: State) {
    let place = Self.place(id)
    words[place.word] =
      words[place.word] & ~(3 &<< place.shift) | UInt64(state.rawValue) &<< place.shift
  }

  @inline(__always)
  private static func place(_ id: Int32) -> (word: Int, shift: UInt64) {
    let index = Int(id &>> 1) & (count - 1)
    return (index &>> 5, UInt64(index & 31) &* 2)
  }
}
