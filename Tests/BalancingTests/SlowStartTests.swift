import Balancing
import Testing

@Suite struct SlowStartTests {
  static let second: UInt64 = 1_000_000_000

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Milliseconds since ready.
    let age: Double
    var minimum = 10.0
    var aggression = 1.0
    let want: Double
  }

  /// A window of 10 s.
  @Test(arguments: [
    Row(testDescription: "at once: the minimum", age: 0, want: 0.1),
    Row(testDescription: "at once, no minimum: as after 1 ms", age: 0, minimum: 0, want: 0.0001),
    Row(testDescription: "half a millisecond is one", age: 0.5, minimum: 0, want: 0.0001),
    Row(testDescription: "1 ms", age: 1, minimum: 0, want: 0.0001),
    Row(testDescription: "2 ms", age: 2, minimum: 0, want: 0.0002),
    Row(testDescription: "the minimum ends", age: 1000, want: 0.1),
    Row(testDescription: "behind the minimum", age: 1500, want: 0.15),
    Row(testDescription: "half", age: 5000, want: 0.5),
    Row(testDescription: "half, aggression 2", age: 5000, aggression: 2, want: 0.7071067811865476),
    Row(testDescription: "half, aggression 0.5", age: 5000, aggression: 0.5, want: 0.25),
    Row(testDescription: "just before the end", age: 9999, want: 0.9999),
    Row(testDescription: "the end", age: 10_000, want: 1),
    Row(testDescription: "long after", age: 1e9, want: 1),
    Row(testDescription: "minimum above 100 %", age: 0, minimum: 500, want: 1),
    Row(testDescription: "minimum below 0 %", age: 5000, minimum: -5, want: 0.5),
    Row(testDescription: "minimum not a number", age: 0, minimum: .nan, want: 0.0001),
  ])
  func factor(_ row: Row) throws {
    let start = try #require(
      SlowStart(
        window: 10 * Self.second, minimumPercent: row.minimum, aggression: row.aggression))
    let ready = 5 * Self.second
    let now = ready + UInt64(row.age * 1_000_000)
    #expect(abs(start.factor(readySince: ready, now: now) - row.want) < 1e-12)
  }

  @Test func longAgoAndAhead() throws {
    let start = try #require(SlowStart(window: 10 * Self.second))
    #expect(start.factor(readySince: 0, now: Self.second) == 1)
    #expect(start.factor(readySince: 9 * Self.second, now: 8 * Self.second) == 0.1)
    #expect(start.factor(readySince: .max, now: 0) == 0.1)
  }

  @Test func noWindowIsNoSlowStart() throws {
    #expect(try #require(SlowStart(window: 0)).factor(readySince: 5, now: 5) == 1)
    // A window shorter than the first step.
    #expect(try #require(SlowStart(window: 1000)).factor(readySince: 5, now: 6) == 1)
  }

  @Test(arguments: [0, -1, Double.nan, .infinity])
  func aggressionMustBeAboveZero(aggression: Double) {
    #expect(SlowStart(window: 1, aggression: aggression) == nil)
  }
}
