import Primitives
import Testing

@testable import Proxy

/// Waits between attempts, in nanoseconds.
struct RetryWaitTests {
  private static let ms: UInt64 = 1_000_000

  // MARK: Bounds

  /// Policies without `retry_back_off`: 25, 50, 100, 200 ms, then ten times the base.
  @Test(arguments: [(1, 25), (2, 50), (3, 100), (4, 200), (5, 250), (6, 250), (1000, 250), (.max, 250)] as [(UInt32, UInt64)])
  func theDefaults(number: UInt32, milliseconds: UInt64) {
    #expect(RetryBackoff.standard.bound(number) == milliseconds * Self.ms)
  }

  struct Row: Sendable {
    let base, most: UInt64
    /// Of the first repeats.
    let bounds: [UInt64]
  }

  @Test(arguments: [
    Row(base: 1, most: 10, bounds: [1, 2, 4, 8, 10, 10]),
    // The cap is reached exactly.
    Row(base: 25, most: 100, bounds: [25, 50, 100, 100]),
    // It is the base: nothing doubles.
    Row(base: 7, most: 7, bounds: [7, 7, 7]),
    Row(base: 5, most: 6, bounds: [5, 6, 6]),
    // A cap below the base is refused with the configuration; here it holds.
    Row(base: 9, most: 4, bounds: [4, 4]),
    Row(base: 0, most: 10, bounds: [0, 0]),
    Row(base: 3, most: 0, bounds: [0, 0]),
    // One bit is left, none is left.
    Row(base: 1 << 62, most: .max, bounds: [1 << 62, 1 << 63, .max, .max]),
    Row(base: 1 << 63, most: .max, bounds: [1 << 63, .max]),
    Row(base: .max, most: .max, bounds: [.max, .max]),
    Row(base: 3 << 62, most: 3 << 62 + 5, bounds: [3 << 62, 3 << 62 + 5]),
  ])
  func aBoundDoublesUpToTheCap(row: Row) {
    let backoff = RetryBackoff(base: row.base, longest: row.most)
    let bounds = row.bounds.indices.map { backoff.bound(UInt32($0 + 1)) }
    #expect(bounds == row.bounds)
  }

  /// It goes on doubling until the cap, however far that is away.
  @Test func aSmallBaseReachesAFarCap() {
    let backoff = RetryBackoff(base: Self.ms, longest: 3_600_000 * Self.ms)
    let bounds = (1...50).map { backoff.bound($0) }
    for (number, bound) in bounds.enumerated() {
      #expect(bound == (number < 22 ? Self.ms << UInt64(number) : 3_600_000 * Self.ms))
    }
  }

  @Test func numbersThatAreNoRepeatAreTheFirst() {
    #expect(RetryBackoff(base: 25).bound(0) == 25)
  }

  @Test(arguments: [
    (0, 0), (25, 250), (UInt64.max / 10, UInt64.max / 10 * 10), (UInt64.max / 10 + 1, .max), (.max, .max),
    // Sixty years: ten times that does not fit.
    (1_900_000_000_000_000_000, .max),
  ] as [(UInt64, UInt64)])
  func theCapIsTenBases(base: UInt64, most: UInt64) {
    #expect(RetryBackoff(base: base).longest == most)
  }

  // MARK: Draws

  @Test(arguments: [
    // Below the bound, which is none itself.
    (1, 0, 0), (1, 24, 24), (1, 25, 0), (1, 26, 1), (2, 49, 49), (2, 50, 0), (5, 249, 249), (5, 250, 0), (9, 1250, 0),
    (9, .max, UInt64.max % 250),
  ] as [(UInt32, UInt64, UInt64)])
  func aDrawStaysBelowTheBound(number: UInt32, drawn: UInt64, wait: UInt64) {
    #expect(RetryWait.backoff(number, RetryBackoff(base: 25), drawn: drawn) == wait)
  }

  @Test func aBoundOfNothingIsNoWait() {
    #expect(RetryWait.backoff(1, RetryBackoff(base: 0), drawn: .max) == 0)
    #expect(RetryWait.due(now: 7, 0) == 8)
  }

  /// Uniform in 0..<B * 2^(N-1), not B * (2^N - 1) as older texts of Envoy say: all tenths of it are as likely, and
  /// nothing is beyond.
  @Test(arguments: [(1, 25), (2, 50), (3, 100), (6, 250)] as [(UInt32, UInt64)])
  func drawsAreUniform(number: UInt32, milliseconds: UInt64) {
    var random = FastRandom(seed: 11)
    var tenths = [Int](repeating: 0, count: 10)
    let bound = milliseconds * Self.ms
    for _ in 0..<100_000 {
      let wait = RetryWait.backoff(number, .standard, drawn: random.next())
      guard wait < bound else {
        Issue.record("\(wait) is not below \(bound)")
        return
      }
      tenths[Int(wait * 10 / bound)] += 1
    }
    // Five standard deviations of a tenth.
    for count in tenths { #expect(abs(count - 10_000) < 475) }
  }

  // MARK: What hosts demand

  @Test(arguments: [
    (1000, 0, 1000), (1000, 500, 1500), (1000, 501, 1000), (1000, 777, 1276), (1, 0, 1), (1, .max, 1), (2, 1, 3), (3, 1, 4),
    (3, 2, 3),
    // Further than there are numbers.
    (.max, 0, .max), (.max, 1, .max), (UInt64.max - 10, 10, .max), (UInt64.max - 10, 11, .max), (.max, .max, .max),
  ] as [(UInt64, UInt64, UInt64)])
  func upToHalfMore(demanded: UInt64, drawn: UInt64, wait: UInt64) {
    #expect(RetryWait.demanded(demanded, drawn: drawn) == wait)
  }

  @Test func demandedWaitsAreSpread() {
    var random = FastRandom(seed: 5)
    let waits = (0..<10_000).map { _ in RetryWait.demanded(2000 * Self.ms, drawn: random.next()) }
    #expect(waits.allSatisfy { (2000 * Self.ms...3000 * Self.ms).contains($0) })
    let mean = waits.reduce(0) { $0 + Double($1) } / Double(waits.count) / Double(Self.ms)
    #expect((2480...2520).contains(mean), "\(mean)")
    #expect(waits.contains { $0 < 2010 * Self.ms } && waits.contains { $0 > 2990 * Self.ms })
  }

  // MARK: When

  @Test(arguments: [(5, 0, 6), (5, 1, 6), (5, 10, 15), (5, .max, .max), (UInt64.max - 1, 1, .max), (.max, 0, .max)] as [(UInt64, UInt64, UInt64)])
  func due(now: UInt64, wait: UInt64, due: UInt64) {
    #expect(RetryWait.due(now: now, wait) == due)
  }
}
