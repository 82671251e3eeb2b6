import Testing

@testable import LoadReport

@Suite struct AxisTicksTests {
  @Test(arguments: [
    (0.0, [0.0, 1]), (1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (20_800, [0, 5000, 10_000, 15_000, 20_000, 25_000]),
    (40_000, [0, 10_000, 20_000, 30_000, 40_000]),
  ] as [(Double, [Double])])
  func linear(largest: Double, want: [Double]) {
    let ticks = AxisTicks.linear(upTo: largest)
    #expect(ticks.count == want.count)
    #expect(zip(ticks, want).allSatisfy { abs($0 - $1) < 1e-9 })
  }

  @Test(arguments: [
    (1.0, 1.0, [1.0]), (100, 1000, [100, 150, 200, 300, 500, 700, 1000]),
    (550, 11_000, [500, 1000, 2000, 5000, 10_000, 20_000]), (1, 1e6, [1, 10, 100, 1e3, 1e4, 1e5, 1e6]),
  ] as [(Double, Double, [Double])])
  func logarithmic(low: Double, high: Double, want: [Double]) {
    let ticks = AxisTicks.logarithmic(low...high)
    #expect(ticks.count == want.count)
    #expect(zip(ticks, want).allSatisfy { abs($0 / $1 - 1) < 1e-9 })
  }

  @Test(arguments: [
    (0.0, [0.0, 1]), (30, [0, 5, 10, 15, 20, 25, 30]), (90, [0, 15, 30, 45, 60, 75, 90]),
    (3600, [0, 600, 1200, 1800, 2400, 3000, 3600]),
  ] as [(Double, [Double])])
  func time(largest: Double, want: [Double]) {
    #expect(AxisTicks.time(upTo: largest) == want)
  }

  /// Ascending, around the values, and few enough to be read, whatever the values.
  @Test func everyRange() {
    var fixture = RunFixture(seed: 6)
    for _ in 0..<2_000 {
      let high = magnitude(&fixture)
      let low = high * fixture.uniform()
      let linear = AxisTicks.linear(upTo: high)
      #expect(linear.count <= 8 && linear.count >= 2)
      #expect(linear[linear.count - 1] >= high * (1 - 1e-6))
      let logarithmic = AxisTicks.logarithmic(low...high)
      #expect(logarithmic.count <= 30)
      #expect(logarithmic[0] <= max(low, 1e-9) * (1 + 1e-6))
      #expect(logarithmic[logarithmic.count - 1] >= high * (1 - 1e-6))
      #expect(zip(logarithmic, logarithmic.dropFirst()).allSatisfy { $0 < $1 })
      #expect(AxisTicks.time(upTo: high).count <= 12)
    }
  }

  private func magnitude(_ fixture: inout RunFixture) -> Double {
    var value = 1e-3
    for _ in 0..<Int(fixture.uniform() * 15) { value *= 10 }
    return value * (1 + 9 * fixture.uniform())
  }
}
