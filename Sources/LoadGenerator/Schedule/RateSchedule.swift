/// How many requests a second should be sent when: stages one after another, from offset 0.
public struct RateSchedule: Sendable, Equatable {
  public struct Stage: Sendable, Equatable {
    /// Nanoseconds after the schedule's start.
    public var start: UInt64
    /// Nanoseconds; `.max` when it has no end.
    public var end: UInt64
    /// Requests a second, above 0.
    public var rate: Double
  }

  public private(set) var stages: [Stage]
  /// Nanoseconds of the stage that comes before what is measured; 0 when there is none.
  public private(set) var warmUp: UInt64

  /// One rate, first for the warm-up and then for `duration` (nil: without an end).
  public static func constant(rate: Double, duration: UInt64?, warmUp: UInt64) -> RateSchedule {
    let end = duration.map { warmUp + $0 } ?? .max
    var stages = [Stage(start: warmUp, end: end, rate: rate)]
    if warmUp > 0 { stages.insert(Stage(start: 0, end: warmUp, rate: rate), at: 0) }
    return RateSchedule(stages: stages, warmUp: warmUp)
  }

  /// `count` rates at equal distances, the first `from` and the last `to`, each for `stepLength`
  /// nanoseconds; the warm-up runs at the first.
  public static func ramp(
    from: Double, to: Double, count: Int, stepLength: UInt64, warmUp: UInt64
  ) -> RateSchedule {
    var stages: [Stage] = []
    if warmUp > 0 { stages.append(Stage(start: 0, end: warmUp, rate: from)) }
    for step in 0..<max(1, count) {
      let share = count > 1 ? Double(step) / Double(count - 1) : 0
      let start = warmUp + UInt64(step) * stepLength
      stages.append(
        Stage(start: start, end: start + stepLength, rate: from + (to - from) * share))
    }
    return RateSchedule(stages: stages, warmUp: warmUp)
  }

  /// The stages that are measured.
  public var measured: ArraySlice<Stage> { warmUp > 0 ? stages.dropFirst() : stages[...] }

  /// The rate in force at `offset` nanoseconds; the last one after the end.
  public func rate(at offset: UInt64) -> Double {
    (stages.last { $0.start <= offset } ?? stages[0]).rate
  }
}
