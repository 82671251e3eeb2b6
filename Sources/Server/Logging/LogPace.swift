/// How long the log writer sleeps between two looks at the rings: long when there is nothing, so that an idle
/// process uses no CPU, and short enough that a ring never fills up between two looks.
struct LogPace {
  /// A ring of 1 MiB that is filled at 40 MB/s from one moment to the next does not overflow.
  static let idleMilliseconds: Int32 = 25

  private let ringBytes: Int
  private var pause: Int32 = 1

  init(ringBytes: Int) { self.ringBytes = max(1, ringBytes) }

  /// - Parameter taken: Bytes taken out of the fullest ring.
  mutating func pauseMilliseconds(afterTaking taken: Int) -> Int32 {
    if taken > ringBytes / 4 {
      pause = 0
    } else if taken > ringBytes / 16 {
      pause = max(1, pause / 2)
    } else {
      pause = min(Self.idleMilliseconds, max(1, pause * 2))
    }
    return pause
  }
}
