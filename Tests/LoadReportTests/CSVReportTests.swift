import LoadReport
import Testing

@Suite struct CSVReportTests {
  @Test func rows() {
    var run = RunResult(
      label: "a,\"b\"", target: "t", mode: .open(arrivals: .constant, first: 1000, last: 1000),
      connections: 1, threads: 1, startUnixSeconds: 0, durationNanoseconds: 1_500_000_000)
    run.tally.responses = 1500
    run.tally.statuses.add(200, 1500)
    run.tally.errors.add(.reset, 2)
    run.latency.record(nanoseconds: 1_000, count: 1500)
    var sample = IntervalSample()
    for _ in 0..<500 { sample.recordAnswer(latencyNanoseconds: 1_000) }
    run.intervals = [
      sample.interval(startNanoseconds: 0, durationNanoseconds: 500_000_000, intendedRate: 1000)
    ]
    run.steps = [
      Step(
        startNanoseconds: 500_000_000, durationNanoseconds: 1_000_000_000, intendedRate: 1000,
        requests: 900, errors: 1, latency: LatencySummary(sample.latency), failure: .slow)
    ]
    let us = "0.001000"
    #expect(
      CSVReport.text([run]) == [
        "record,name,run,start_s,duration_s,requests,errors,intended_rate,achieved_rate,p50_ms,p90_ms,p99_ms,"
          + "p99.9_ms,p99.99_ms,p99.999_ms,max_ms,mean_ms",
        "interval,0,\"a,\"\"b\"\"\",0.000,0.500,500,0,1000.000,1000.000,\(us),\(us),\(us),\(us),,,\(us),",
        "step,slow,\"a,\"\"b\"\"\",0.500,1.000,900,1,1000.000,900.000,\(us),\(us),\(us),\(us),,,\(us),",
        "total,,\"a,\"\"b\"\"\",0.000,1.500,1500,2,1000.000,1000.000,\(us),\(us),\(us),\(us),\(us),\(us),\(us),\(us)",
        "status,200,\"a,\"\"b\"\"\",,,1500,,,,,,,,,,,",
        "error,reset,\"a,\"\"b\"\"\",,,,2,,,,,,,,,,", "",
      ].joined(separator: "\r\n"))
  }

  @Test func rowsOfHandshakesAndCalls() {
    var run = RunResult(
      label: "", target: "t", mode: .closed, connections: 1, threads: 1, startUnixSeconds: 0,
      durationNanoseconds: 1_000_000_000)
    run.tally.tls.handshakes = 3
    run.handshakeTime.record(nanoseconds: 1_000, count: 3)
    run.tally.grpcStatuses.add(14, 2)
    let text = CSVReport.text([run])
    let figures = Array(repeating: "0.001000", count: 8).joined(separator: ",")
    #expect(text.contains("\r\nhandshake,,,0.000,1.000,3,,,,\(figures)\r\n"))
    #expect(text.contains("\r\ngrpc_status,14,,,,2,,,,,,,,,,,\r\n"))
  }

  @Test(arguments: ["=1+1", "+1", "-1", "@a"])
  func labelsAreNotFormulas(label: String) {
    let run = RunResult(
      label: label, target: "t", mode: .closed, connections: 1, threads: 1, startUnixSeconds: 0,
      durationNanoseconds: 1)
    #expect(CSVReport.text([run]).contains("total,,'\(label),"))
  }
}
