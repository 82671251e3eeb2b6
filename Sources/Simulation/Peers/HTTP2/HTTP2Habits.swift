/// How a peer uses HTTP/2: drawn once a connection.
struct HTTP2Habits {
  /// SETTINGS_INITIAL_WINDOW_SIZE of what it receives.
  let streamWindow: Int
  /// Added to the connection's window at once.
  let connectionWindow: Int
  /// Windows are given back when so much is owed.
  let returnsAfter: Int
  /// Or so much later, for a peer that takes its time.
  let returnDelay: UInt64
  /// Largest DATA frame that it sends.
  let frameMax: Int
  let padding: Double
  /// A header block leaves in pieces.
  let continuation: Double
  let ping: Double
  let unknownFrame: Double
  /// SETTINGS_MAX_CONCURRENT_STREAMS; nil = not said.
  let streamsMax: Int?

  init(_ dice: Dice) {
    streamWindow = dice.pick([1000, 16_384, 65_535, 65_535, 1 << 20])
    connectionWindow = dice.pick([0, 0, 100_000, 10 << 20])
    returnsAfter = dice.chance(0.5) ? 1 : streamWindow / 2
    returnDelay = dice.chance(0.2) ? UInt64(dice.skewed(0...50)) * Time.millisecond : 0
    frameMax = dice.chance(0.3) ? dice.skewed(1...16_384) : 16_384
    padding = dice.chance(0.2) ? 0.3 : 0
    continuation = dice.chance(0.3) ? 0.3 : 0
    ping = dice.chance(0.3) ? 0.1 : 0
    unknownFrame = dice.chance(0.2) ? 0.05 : 0
    streamsMax = dice.chance(0.4) ? dice.within(1...5) : nil
  }
}
