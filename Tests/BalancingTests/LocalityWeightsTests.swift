import Balancing
import Testing

@Suite struct LocalityWeightsTests {
  @Test(arguments: [
    (weight: 3, available: 10, total: 10, excluded: 0, factor: 140, want: 3.0),
    (weight: 3, available: 8, total: 10, excluded: 0, factor: 140, want: 3.0),
    (weight: 3, available: 5, total: 10, excluded: 0, factor: 140, want: 2.1),
    (weight: 10, available: 5, total: 10, excluded: 0, factor: 100, want: 5.0),
    (weight: 10, available: 5, total: 10, excluded: 5, factor: 100, want: 10.0),
    (weight: 10, available: 0, total: 10, excluded: 0, factor: 140, want: 0.0),
    (weight: 0, available: 10, total: 10, excluded: 0, factor: 140, want: 0.0),
    (weight: 10, available: 0, total: 0, excluded: 0, factor: 140, want: 0.0),
    (weight: 10, available: 3, total: 3, excluded: 4, factor: 140, want: 0.0),
    (
      weight: UInt32.max, available: 100_000, total: 100_000, excluded: 0, factor: UInt32.max,
      want: 4_294_967_295.0
    ),
  ] as [(weight: UInt32, available: UInt32, total: UInt32, excluded: UInt32, factor: UInt32, want: Double)])
  func effective(
    _ row: (
      weight: UInt32, available: UInt32, total: UInt32, excluded: UInt32, factor: UInt32,
      want: Double
    )
  ) {
    let got = LocalityWeights.effective(
      weight: row.weight, available: row.available, total: row.total, excluded: row.excluded,
      factor: row.factor)
    #expect(abs(got - row.want) < 1e-12 * max(1, row.want))
  }

  @Test(arguments: [
    (10, 5, 10, 5), (10, 10, 10, 10), (10, 0, 10, 0), (1, 1, 3, 0), (1, 2, 3, 1), (1, 1, 2, 1),
    (10, 3, 0, 0), (10, 20, 10, 10), (UInt32.max, 99_999, 100_000, 4_294_924_345),
  ] as [(UInt32, UInt32, UInt32, UInt32)])
  func scaled(_ row: (weight: UInt32, subset: UInt32, total: UInt32, want: UInt32)) {
    #expect(
      LocalityWeights.scaled(weight: row.weight, subsetHosts: row.subset, totalHosts: row.total)
        == row.want)
  }

  @Test func turnsFollowEffectiveWeights() {
    // 3 of weight 1 and half up (0.7), weight 2 and well, weight 1 and well.
    let weights = [(1, 5), (2, 10), (1, 10)].map {
      LocalityWeights.effective(
        weight: UInt32($0.0), available: UInt32($0.1), total: 10, excluded: 0)
    }
    let counts = ScheduledMembers(weights: weights).counts(3700)
    for (count, want) in zip(counts, [700, 2000, 1000]) { #expect(abs(count - want) <= 1) }
  }
}
