import Testing

@testable import Stats

@Suite struct HistogramTests {
  @Test func bucketsAreContiguousAndNarrow() {
    for bucket in 0..<HistogramLayout.bucketCount {
      let lower = HistogramLayout.lowerBound(ofBucket: bucket)
      let width = HistogramLayout.width(ofBucket: bucket)
      #expect(HistogramLayout.bucket(of: lower) == bucket)
      #expect(HistogramLayout.bucket(of: lower + width - 1) == bucket)
      #expect(width == 1 || (width - 1) * 128 < lower)
      if bucket + 1 < HistogramLayout.bucketCount {
        #expect(HistogramLayout.lowerBound(ofBucket: bucket + 1) == lower + width)
      }
    }
  }

  @Test(arguments: [HistogramLayout.valueLimit - 1, HistogramLayout.valueLimit, UInt64.max])
  func largeValuesGoToTheLastBucket(_ value: UInt64) {
    #expect(HistogramLayout.bucket(of: value) == HistogramLayout.bucketCount - 1)
  }

  @Test(arguments: [UInt64(1), 7, 42])
  func quantilesAreWithinOnePercent(seed: UInt64) throws {
    let registry = try makeRegistry(slabs: 3)
    let histogram = registry.histogram("h")
    var random = Seeded(state: seed)
    // Log-uniform: every magnitude from 1 µs to more than an hour.
    var values = (0..<20_000).map { _ in
      UInt64.random(in: 0..<(1 << UInt64.random(in: 1...33, using: &random)), using: &random)
    }
    for (index, value) in values.enumerated() {
      registry.slabs[index % 3].record(histogram, value)
    }
    values.sort()
    let metric = try #require(registry.find("h"))
    let reading = registry.histogram(of: metric)
    #expect(reading.count == 20_000)
    #expect(reading.sum == values.reduce(0, +))
    #expect(registry.histogramCount(of: metric) == 20_000)
    for perMille in UInt64(0)...1000 {
      let rank = max(1, (values.count * Int(perMille) + 999) / 1000)
      let exact = values[rank - 1]
      let found = try #require(reading.quantile(perMille: perMille))
      let difference = found > exact ? found - exact : exact - found
      #expect(difference * 100 <= exact, "p\(perMille): \(found), exact \(exact)")
    }
  }

  @Test func anEmptyHistogramHasNoQuantiles() {
    #expect(HistogramReading().quantile(perMille: 500) == nil)
    #expect(HistogramReading().cumulativeCounts(upTo: [1, 2]) == [0, 0])
  }

  @Test func intervalsHoldWhatCameSinceTheLastLatch() throws {
    let registry = try makeRegistry()
    let histogram = registry.histogram("h")
    let metric = try #require(registry.find("h"))
    #expect(registry.interval(of: metric) == nil)
    registry.slabs[0].record(histogram, 1000)
    #expect(registry.latchInterval(of: metric).quantile(perMille: 500) == 1002)
    registry.slabs[1].record(histogram, 5)
    registry.slabs[1].record(histogram, 5)
    let second = registry.latchInterval(of: metric)
    #expect(second.count == 2)
    #expect(second.sum == 10)
    #expect(second.quantile(perMille: 1000) == 5)
    #expect(registry.interval(of: metric) == second)
    #expect(registry.latchInterval(of: metric).count == 0)
    #expect(registry.histogram(of: metric).count == 3)
  }

  @Test func cumulativeCountsIncludeTheBound() {
    var reading = HistogramReading()
    for value: UInt64 in [0, 500, 1000, 1000, 200_000] {
      reading.add(1, toBucket: HistogramLayout.bucket(of: value))
    }
    #expect(reading.cumulativeCounts(upTo: [0, 499, 500, 1000, 300_000]) == [1, 1, 2, 4, 5])
  }

  @Test func customBoundsAreTakenByName() {
    let buckets = HistogramBuckets([
      .init(match: .prefix("cluster."), bounds: [10, 1.5, 10, -1, .nan, .infinity])
    ])
    #expect(
      buckets.bounds(for: "cluster.a", unit: .milliseconds)
        == [0, 1500, 10_000, HistogramLayout.valueLimit])
    #expect(
      buckets.bounds(for: "http.a", unit: .milliseconds).count
        == HistogramBuckets.defaultBounds.count)
  }
}
