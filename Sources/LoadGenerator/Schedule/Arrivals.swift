import Glibc
public import LoadReport
import Primitives

/// When one thread should send its requests: nanoseconds after the schedule's start.
///
/// The schedule does not know what happened to earlier requests, which is the point of an open loop:
/// a request that is late is still measured from the time it was due.
public struct Arrivals: ~Copyable {
  private let stages: [RateSchedule.Stage]
  private let kind: LoadMode.Arrivals
  private let index: Int
  private let threads: Int
  private var random: FastRandom
  private var stage = 0
  /// Constant: the number of the next arrival of the stage, counted over all threads.
  private var number = 0
  /// Poisson: the latest arrival of the stage.
  private var latest = 0.0
  /// The next arrival; `.max` when the schedule is over.
  public private(set) var next: UInt64 = 0

  /// - Parameters:
  ///   - index: This thread, of `threads`: constant arrivals of all threads together are evenly
  ///     spaced; Poisson arrivals of all together are Poisson again.
  public init(
    _ schedule: RateSchedule, kind: LoadMode.Arrivals, thread index: Int, of threads: Int, seed: UInt64
  ) {
    stages = schedule.stages
    self.kind = kind
    self.index = index
    self.threads = threads
    random = FastRandom(seed: seed &+ UInt64(index) &* 0x9E37_79B9)
    enter(stage: 0)
  }

  private mutating func enter(stage: Int) {
    self.stage = stage
    guard stage < stages.count else {
      next = .max
      return
    }
    number = index
    latest = Double(stages[stage].start)
    switch kind {
    case .constant: place()
    case .poisson: advance()
    }
  }

  /// Moves on to the arrival after ``next``.
  public mutating func advance() {
    guard stage < stages.count else { return }
    switch kind {
    case .constant:
      number &+= threads
      place()
    case .poisson:
      // Exponential distances have no memory, so each stage may start afresh.
      let uniform = Double(random.next() >> 11) * 0x1p-53
      latest -= log(1 - uniform) * 1e9 * Double(threads) / stages[stage].rate
      next = latest < 1e19 ? UInt64(latest) : .max
      if next >= stages[stage].end { enter(stage: stage + 1) }
    }
  }

  /// Multiplied, not added up, so that errors of rounding do not grow.
  private mutating func place() {
    let distance = Double(number) * 1e9 / stages[stage].rate
    next = distance < 9e18 ? stages[stage].start &+ UInt64(distance.rounded()) : .max
    if next >= stages[stage].end { enter(stage: stage + 1) }
  }
}
