import Histogram
import Testing

@testable import LoadReport

@Suite struct LatencyHistogramTests {
  @Test func bucketsAreContiguousAndNarrow() {
    for bucket in 0..<HDRLayout.bucketCount {
      let lowest = HDRLayout.lowest(ofBucket: bucket)
      let highest = HDRLayout.highest(ofBucket: bucket)
      #expect(HDRLayout.bucket(of: lowest) == bucket)
      #expect(HDRLayout.bucket(of: highest) == bucket)
      #expect((highest - lowest) * 1000 <= lowest)
      if bucket + 1 < HDRLayout.bucketCount {
        #expect(HDRLayout.lowest(ofBucket: bucket + 1) == highest + 1)
      }
    }
    #expect(HDRLayout.bucket(of: HDRLayout.longest) < HDRLayout.bucketCount)
  }

  @Test(arguments: [UInt64(1), 7, 42])
  func percentilesAreThoseOfTheSortedValues(seed: UInt64) {
    var fixture = RunFixture(seed: seed)
    // Every magnitude from 1 ns to half an hour.
    let values = (0..<20_000).map { _ in logUniform(&fixture) }.sorted()
    var histogram = LatencyHistogram()
    for value in values.shuffled() { histogram.record(nanoseconds: value) }
    for percent in [0.001, 1, 25, 50, 75, 90, 99, 99.9, 99.99, 99.995] {
      let rank = (percent / 100 * Double(values.count) - 1e-6).rounded(.up)
      let exact = Double(values[max(0, Int(rank) - 1)])
      let found = Double(histogram.percentile(percent))
      #expect(found >= exact && found <= exact * 1.001, "p\(percent)")
    }
    #expect(histogram.min == values.first)
    #expect(histogram.max == values.last)
    #expect(histogram.percentile(0) == values.first)
    #expect(histogram.percentile(100) == values.last)
  }

  @Test(arguments: [UInt64(3), 11])
  func agreesWithThePackage(seed: UInt64) {
    var fixture = RunFixture(seed: seed)
    var ours = LatencyHistogram()
    var theirs = Histogram<UInt64>(
      lowestDiscernibleValue: 1, highestTrackableValue: HDRLayout.longest,
      numberOfSignificantValueDigits: .three)
    for _ in 0..<5_000 {
      let value = logUniform(&fixture)
      ours.record(nanoseconds: value)
      theirs.record(value)
    }
    for percent in [1, 50, 90, 99, 99.9, 99.99, 100] {
      #expect(ours.percentile(percent) == theirs.valueAtPercentile(percent))
    }
    #expect(HDRReport.histogram(ours) == theirs)
    #expect(abs(ours.mean - theirs.mean) < theirs.mean * 1e-4)
    #expect(abs(ours.standardDeviation - theirs.stdDeviation) < theirs.stdDeviation * 1e-4)
  }

  @Test func meanAndDeviationAreThoseOfTheValues() {
    var histogram = LatencyHistogram()
    histogram.record(nanoseconds: 100, count: 3)
    histogram.record(nanoseconds: 500)
    #expect(histogram.mean == 200)
    #expect(abs(histogram.standardDeviation - 173.205) < 0.001)
  }

  @Test func countsBeyond32Bits() {
    var histogram = LatencyHistogram()
    histogram.record(nanoseconds: 1000, count: 6_000_000_000)
    histogram.record(nanoseconds: 2000, count: 4_000_000_000)
    #expect(histogram.count == 10_000_000_000)
    #expect(histogram.percentile(60) == 1000)
    #expect(histogram.percentile(60.000001) == 2000)
    #expect(histogram.mean == 1400)
  }

  @Test func longerThanAnHourIsAnHour() {
    var histogram = LatencyHistogram()
    histogram.record(nanoseconds: .max)
    histogram.record(nanoseconds: 0)
    #expect(histogram.max == 3_600_000_000_000)
    #expect(histogram.min == 0)
    #expect(histogram.percentile(50) == 0)
  }

  @Test func mergedIsAsRecordedTogether() {
    var fixture = RunFixture(seed: 5)
    var parts = [LatencyHistogram(), LatencyHistogram(), LatencyHistogram()]
    var whole = LatencyHistogram()
    for index in 0..<6_000 {
      // The last part stays empty.
      let value = logUniform(&fixture)
      parts[index % 2].record(nanoseconds: value)
      whole.record(nanoseconds: value)
    }
    var merged = LatencyHistogram()
    for part in parts { merged.merge(part) }
    #expect(merged == whole)
  }

  @Test func resetForgetsAll() {
    var histogram = LatencyHistogram()
    for value in [UInt64(0), 5, 70_000, 3_000_000_000_000] { histogram.record(nanoseconds: value) }
    histogram.reset()
    #expect(histogram == LatencyHistogram())
    #expect(histogram.percentile(99) == 0)
    #expect(histogram.min == 0)
    #expect(histogram.buckets.isEmpty)
  }

  @Test func bucketsHoldEverything() {
    var histogram = LatencyHistogram()
    for value in [UInt64(1), 1, 2047, 4097, 4096, 1_000_000] { histogram.record(nanoseconds: value) }
    #expect(histogram.buckets.map(\.lowest) == [1, 2047, 4096, 999_936])
    #expect(histogram.buckets.map(\.highest) == [1, 2047, 4099, 1_000_447])
    #expect(histogram.buckets.map(\.count) == [2, 1, 2, 1])
  }

  private func logUniform(_ fixture: inout RunFixture) -> UInt64 {
    var value = 1.0
    for _ in 0..<Int(fixture.uniform() * 41) { value *= 2 }
    return UInt64(value * (1 + fixture.uniform()))
  }
}
