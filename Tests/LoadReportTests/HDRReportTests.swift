import LoadReport
import Testing

@Suite struct HDRReportTests {
  @Test func whatThePlotterReads() {
    var latency = LatencyHistogram()
    latency.record(nanoseconds: 1_000_000, count: 3)
    latency.record(nanoseconds: 2_000_000)
    #expect(
      HDRReport.text(latency) == """
               Value     Percentile TotalCount 1/(1-Percentile)

               1.000 0.000000000000          3           1.00
               1.000 0.100000000000          3           1.11
               1.000 0.200000000000          3           1.25
               1.000 0.300000000000          3           1.43
               1.000 0.400000000000          3           1.67
               1.000 0.500000000000          3           2.00
               1.000 0.550000000000          3           2.22
               1.000 0.600000000000          3           2.50
               1.000 0.650000000000          3           2.86
               1.000 0.700000000000          3           3.33
               1.000 0.750000000000          3           4.00
               2.000 0.775000000000          4           4.44
               2.000 1.000000000000          4
        #[Mean    =        1.250, StdDeviation   =        0.433]
        #[Max     =        2.000, Total count    =            4]
        #[Buckets =           32, SubBuckets     =         2048]

        """)
  }

  @Test func countsBeyond32Bits() {
    var latency = LatencyHistogram()
    latency.record(nanoseconds: 1_000_000, count: 5_000_000_000)
    let text = HDRReport.text(latency)
    #expect(text.contains("\n       1.000 0.000000000000 5000000000           1.00\n"))
    #expect(text.contains("Total count    =   5000000000]"))
  }

  @Test func rowsAscendToTheMaximum() throws {
    var fixture = RunFixture(seed: 8)
    let latency = fixture.run(label: "r", seconds: 2, rate: 3000).latency
    let rows = HDRReport.text(latency).split(separator: "\n").dropFirst().filter { !$0.hasPrefix("#") }
      .map { $0.split(separator: " ").compactMap { Double($0) } }
    #expect(rows.count > 40)
    for (row, next) in zip(rows, rows.dropFirst()) {
      #expect(row[0] <= next[0] && row[1] < next[1] && row[2] <= next[2])
    }
    #expect(try #require(rows.last)[2] == Double(latency.count))
    #expect(try #require(rows.last)[1] == 1)
  }

  @Test func empty() {
    #expect(HDRReport.text(LatencyHistogram()).contains("Total count    =            0]"))
  }
}
