import LoadReport
import Testing

@Suite struct LatencyHistogramTests {
  @Test func empty() {
    let histogram = LatencyHistogram()
    #expect(histogram.count == 0)
    #expect(histogram.percentile(50) == 0)
    #expect(histogram.buckets.isEmpty)
  }
}
