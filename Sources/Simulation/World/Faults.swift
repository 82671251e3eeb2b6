/// What goes wrong in a run, and how often: drawn once a seed, so that some runs are calm and others rough.
struct Faults {
  // Always legal, whatever the seed: the kernel's freedom in how it completes what it was given.

  /// Longest time from when an operation can complete to its completion, in nanoseconds.
  var completionDelayMax: UInt64 = 0
  /// Longest time of bytes on the way, in nanoseconds.
  var latencyMax: UInt64 = 0
  /// A receive takes fewer bytes than there are.
  var shortRead = 0.0
  /// The kernel takes fewer bytes at a time than there is room for.
  var shortWrite = 0.0
  /// A multishot operation ends though nothing is wrong.
  var multishotEnd = 0.0
  /// A cancelled operation has data to report first.
  var cancelRace = 0.0
  /// Now and then a completion takes very long.
  var lateCompletion = 0.0

  // Trouble: requests may fail, but only visibly.

  /// A send ends early with fewer bytes.
  var shortSend = 0.0
  var noBuffers = 0.0
  /// No pipe can be had.
  var pipeRefused = 0.0
  /// Two descriptors that cannot be spliced, or not now.
  var spliceRefused = 0.0
  /// A splice finds nothing to do, though readiness was reported.
  var spliceRetry = 0.0
  /// Bytes that a pipe holds at most.
  var pipeCapacity = 1 << 20
  var acceptFailure = 0.0
  var socketFailure = 0.0
  var connectRefused = 0.0
  var connectUnanswered = 0.0
  var connectUnreachable = 0.0
  /// A connection is reset, per transfer of bytes.
  var reset = 0.0
  var clockJumps = 0
  /// Longest jump, in nanoseconds.
  var clockJumpMax: UInt64 = 0
  var snapshotSwaps = 0
  var drains = false

  /// Whether a correct request may fail in this run.
  var isDisruptive: Bool {
    acceptFailure > 0 || socketFailure > 0 || connectRefused > 0 || connectUnanswered > 0
      || connectUnreachable > 0 || reset > 0 || clockJumps > 0 || snapshotSwaps > 0 || drains
  }

  /// Nothing goes wrong, and nothing takes long.
  static let none = Faults()

  private init() {
    completionDelayMax = 2 * Time.microsecond
    latencyMax = 200 * Time.microsecond
  }

  init(_ dice: Dice, isCalm: Bool) {
    completionDelayMax = UInt64(dice.skewed(0...2_000_000))
    latencyMax = UInt64(dice.skewed(1000...20_000_000))
    shortRead = dice.chance(0.6) ? Double(dice.within(1...60)) / 100 : 0
    shortWrite = dice.chance(0.6) ? Double(dice.within(1...60)) / 100 : 0
    multishotEnd = dice.chance(0.3) ? Double(dice.within(1...20)) / 100 : 0
    cancelRace = Double(dice.within(0...100)) / 100
    lateCompletion = dice.chance(0.3) ? 0.01 : 0
    shortSend = dice.chance(0.3) ? Double(dice.within(1...20)) / 100 : 0
    noBuffers = dice.chance(0.2) ? Double(dice.within(1...5)) / 100 : 0
    pipeRefused = dice.chance(0.3) ? Double(dice.within(1...60)) / 100 : 0
    spliceRefused = dice.chance(0.4) ? Double(dice.within(1...30)) / 100 : 0
    spliceRetry = dice.chance(0.3) ? Double(dice.within(1...50)) / 100 : 0
    pipeCapacity = dice.pick([4096, 16_384, 65_536, 1 << 20])
    if isCalm { return }
    func sometimes(_ most: Double) -> Double {
      dice.chance(0.3) ? most * Double(dice.within(1...100)) / 100 : 0
    }
    acceptFailure = sometimes(0.3)
    socketFailure = sometimes(0.1)
    connectRefused = sometimes(0.3)
    connectUnanswered = sometimes(0.2)
    connectUnreachable = sometimes(0.1)
    reset = sometimes(0.05)
    clockJumps = dice.chance(0.2) ? dice.within(1...3) : 0
    clockJumpMax = UInt64(dice.skewed(1...3600)) * Time.second
    snapshotSwaps = dice.chance(0.4) ? dice.within(1...12) : 0
    drains = dice.chance(0.25)
  }

  /// Nothing goes wrong any more.
  private(set) var areOver = false

  mutating func switchOff() {
    areOver = true
    (shortSend, noBuffers, acceptFailure, socketFailure) = (0, 0, 0, 0)
    (connectRefused, connectUnanswered, connectUnreachable, reset) = (0, 0, 0, 0)
  }
}
