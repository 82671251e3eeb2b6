import LoadReport
import Testing

@testable import LoadGenerator

private let second: UInt64 = 1_000_000_000

/// All arrivals of one thread, as offsets.
private func all(
  _ schedule: RateSchedule, _ kind: LoadMode.Arrivals = .constant, thread: Int = 0, of threads: Int = 1,
  seed: UInt64 = 1
) -> [UInt64] {
  var arrivals = Arrivals(schedule, kind: kind, thread: thread, of: threads, seed: seed)
  var times: [UInt64] = []
  while arrivals.next != .max {
    times.append(arrivals.next)
    arrivals.advance()
  }
  return times
}

@Suite struct ConstantArrivalTests {
  @Test(arguments: [1.0, 3, 7, 999, 20_000, 33_333.3])
  func asManyAsTheRateSays(rate: Double) {
    let times = all(.constant(rate: rate, duration: 3 * second, warmUp: 0))
    #expect(abs(Double(times.count) - rate * 3) < 1)
    #expect(times.first == 0)
    // Far from the start, a place is still off by rounding alone.
    for (number, time) in times.enumerated() {
      #expect(abs(Double(time) - Double(number) * 1e9 / rate) <= 1)
    }
  }

  @Test func threadsTogetherAreEvenlySpaced() {
    let schedule = RateSchedule.constant(rate: 10_000, duration: second, warmUp: 0)
    let together = (0..<3).flatMap { all(schedule, thread: $0, of: 3) }.sorted()
    #expect(together == all(schedule))
    #expect(together.count == 10_000)
  }

  @Test func theWarmUpComesFirst() {
    let schedule = RateSchedule.constant(rate: 10, duration: 2 * second, warmUp: second)
    let times = all(schedule)
    #expect(times.count == 30)
    #expect(times.count { $0 >= second } == 20)
    #expect(schedule.measured.count == 1)
  }

  @Test func aRampClimbsInEqualSteps() {
    let schedule = RateSchedule.ramp(
      from: 100, to: 500, count: 5, stepLength: 2 * second, warmUp: second)
    #expect(schedule.measured.map(\.rate) == [100, 200, 300, 400, 500])
    let times = all(schedule)
    for (step, rate) in [100, 200, 300, 400, 500].enumerated() {
      let start = second + UInt64(step) * 2 * second
      #expect(times.count { $0 >= start && $0 < start + 2 * second } == rate * 2)
    }
    #expect(schedule.rate(at: 0) == 100)
    #expect(schedule.rate(at: 5 * second) == 300)
    #expect(schedule.rate(at: 99 * second) == 500)
  }
}

@Suite struct PoissonArrivalTests {
  /// Mean and variance of the distances, and of counts in equal slices. The bounds are five standard
  /// errors: with these fixed seeds they hold or fail for good; a right implementation fails them for
  /// one seed in a million.
  @Test(arguments: [1, 2, 3] as [UInt64])
  func distancesAreExponential(seed: UInt64) {
    let rate = 1000.0
    let times = all(
      .constant(rate: rate, duration: 100 * second, warmUp: 0), .poisson, seed: seed
    ).map { Double($0) }
    let expected = rate * 100
    #expect(abs(Double(times.count) - expected) < 5 * expected.squareRoot())

    let distances = zip(times.dropFirst(), times).map { ($0 - $1) / 1e9 }
    let count = Double(distances.count)
    let mean = distances.reduce(0, +) / count
    let variance = distances.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    #expect(abs(mean * rate - 1) < 5 / count.squareRoot())
    // The variance of a sample variance of exponentials is about 8/n.
    #expect(abs(variance * rate * rate - 1) < 5 * (8 / count).squareRoot())

    var slices = [Double](repeating: 0, count: 1000)
    for time in times { slices[Int(time / 1e8)] += 1 }
    let dispersion = slices.reduce(0) { $0 + ($1 - 100) * ($1 - 100) } / 100 / 1000
    #expect(abs(dispersion - 1) < 5 * (2.0 / 1000).squareRoot())
  }

  @Test func threadsTogetherHaveTheRate() {
    let schedule = RateSchedule.constant(rate: 1000, duration: 50 * second, warmUp: 0)
    let counts = (0..<4).map { all(schedule, .poisson, thread: $0, of: 4).count }
    #expect(abs(Double(counts.reduce(0, +)) - 50_000) < 5 * 50_000.0.squareRoot())
    for count in counts { #expect(abs(Double(count) - 12_500) < 5 * 12_500.0.squareRoot()) }
    #expect(all(schedule, .poisson, thread: 0, of: 4) != all(schedule, .poisson, thread: 1, of: 4))
  }

  @Test func aSeedDrawsTheSame() {
    let schedule = RateSchedule.constant(rate: 1000, duration: second, warmUp: 0)
    #expect(all(schedule, .poisson, seed: 7) == all(schedule, .poisson, seed: 7))
    #expect(all(schedule, .poisson, seed: 7) != all(schedule, .poisson, seed: 8))
  }

  @Test func stepsHaveTheirRates() {
    let schedule = RateSchedule.ramp(
      from: 1000, to: 3000, count: 2, stepLength: 20 * second, warmUp: 0)
    let times = all(schedule, .poisson)
    #expect(times == times.sorted())
    let first = Double(times.count { $0 < 20 * second })
    #expect(abs(first - 20_000) < 5 * 20_000.0.squareRoot())
    #expect(abs(Double(times.count) - first - 60_000) < 5 * 60_000.0.squareRoot())
  }
}
