import Testing

@testable import LoadReport

@Suite struct JSONReportTests {
  private static let runs: [RunResult] = {
    var fixture = RunFixture(seed: 9)
    var nothing = RunResult(
      label: "", target: "127.0.0.1:1", mode: .closed, connections: 0, threads: 0, startUnixSeconds: 0,
      durationNanoseconds: 0)
    nothing.latency.record(nanoseconds: .max)
    nothing.latency.record(nanoseconds: 0, count: 5_000_000_000)
    var secured = fixture.run(label: "secured", seconds: 1, rate: 10)
    secured.tally.tls.handshakes = 3
    secured.tally.tls.resumed = 1
    secured.tally.tls.agreed = ["TLSv1.3 TLS_AES_256_GCM_SHA384": 3]
    secured.handshakeTime.record(nanoseconds: 300_000, count: 3)
    secured.protocolName = "gRPC"
    secured.streams = 8
    secured.tally.grpcStatuses.add(0, 5)
    secured.tally.grpcStatuses.add(14, 2)
    return [
      nothing, fixture.run(label: "\"<\u{1F600}\\\u{0}", seconds: 3, rate: 2000, stallAt: 1),
      fixture.run(
        label: "open", mode: .open(arrivals: .constant, first: 12.5, last: 12.5), seconds: 2, rate: 100),
      fixture.ramp(label: "ramp"), secured,
    ]
  }()

  @Test(arguments: runs.indices)
  func readsBackAsWritten(index: Int) throws {
    let run = Self.runs[index]
    let text = try JSONReport.text(run)
    #expect(try RunResult(json: Array(text.utf8)) == run)
    #expect(text.hasSuffix("}\n"))
    #expect(text.count { $0 == "\n" } == 1)
  }

  /// Files of versions that knew HTTP/1 alone.
  @Test func whatIsNewMayBeMissing() throws {
    let run = Self.runs[1]
    let text = try JSONReport.text(run).replacing("\"protocol\":\"\",", with: "").replacing("\"streams\":1,", with: "")
    #expect(!text.contains("protocol\"") && !text.contains("streams"))
    #expect(try RunResult(json: Array(text.utf8)) == run)
  }

  @Test func keysAreThoseOfTheDocumentation() throws {
    var run = Self.runs[3]
    run.intervals = Array(run.intervals.prefix(1))
    run.steps = Array(run.steps.suffix(1))
    let keys = try JSONReport.text(run).matches(of: /"([a-z0-9_.]+)":/).map { String($0.output.1) }
    let latency = [
      "buckets", "count", "max_ns", "mean_ns", "min_ns", "percentiles_ns", "50", "75", "90", "99",
      "99.9", "99.99", "99.999", "stdev_ns",
    ]
    let figures = ["max_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "requests"]
    let expected =
      ["achieved_rate", "command", "connections", "cpu", "busiest_thread_ns", "total_ns", "duration_ns", "errors"]
      + ErrorKind.allCases.map(\.name) + ["format", "intervals", "achieved_rate", "duration_ns", "errors", "intended_rate"]
      + figures + ["start_ns", "label", "latency"] + latency
      + ["mode", "arrivals", "first_rate", "kind", "last_rate", "pipelining", "protocol", "schedule_error"] + latency
      + ["service_time"] + latency + ["start_unix_s", "statuses", "200", "503", "steps", "streams"]
      + ["achieved_rate", "duration_ns", "errors", "failure", "intended_rate"] + figures
      + ["start_ns", "sustained", "target", "threads", "totals", "bytes_read", "bytes_written"]
      + ["connections_opened", "requests_sent", "requests_unsent", "responses", "successes", "waited_for_connection"]
      + ["warm_up_ns", "warnings", "code", "text"]
    #expect(keys.sorted() == expected.sorted())
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let find: String
    let replacement: String
  }

  static let rows = [
    Row(testDescription: "format: must be \"apus-load/1\"", find: "apus-load/1", replacement: "apus-load/9"),
    Row(testDescription: "duration_ns: is missing", find: "\"duration_ns\":2000000000,", replacement: ""),
    Row(testDescription: "connections: is not of the right type", find: "\"connections\":64", replacement: "\"connections\":\"many\""),
    Row(testDescription: "threads: must not be null", find: "\"threads\":2", replacement: "\"threads\":null"),
    Row(testDescription: "connections, threads, pipelining, streams: must not be negative", find: "\"threads\":2", replacement: "\"threads\":-2"),
    Row(testDescription: "totals.responses: must be at most 2^53", find: "\"responses\":200", replacement: "\"responses\":9007199254740993"),
    Row(testDescription: "mode.kind: must be \"closed\" or \"open\"", find: "\"kind\":\"open\"", replacement: "\"kind\":\"ajar\""),
    Row(testDescription: "mode.arrivals: must be \"constant\" or \"poisson\"", find: "\"constant\"", replacement: "\"late\""),
    Row(testDescription: "mode: needs first_rate and last_rate", find: "\"first_rate\":12.5,", replacement: ""),
    Row(testDescription: "errors: \"resets\" is not a kind of error", find: "\"reset\":", replacement: "\"resets\":"),
    Row(testDescription: "statuses: \"2000\" is not a status code", find: "\"200\":", replacement: "\"2000\":"),
    Row(testDescription: "latency: count and buckets do not fit together", find: "\"count\":200", replacement: "\"count\":201"),
  ]

  @Test(arguments: rows)
  func whatIsWrongIsSaidWithItsPlace(_ row: Row) throws {
    var fixture = RunFixture(seed: 4)
    var run = fixture.run(
      label: "r", mode: .open(arrivals: .constant, first: 12.5, last: 12.5), seconds: 2, rate: 100)
    run.tally = Tally()
    run.tally.responses = 200
    run.tally.statuses.add(200, 200)
    run.latency.reset()
    run.latency.record(nanoseconds: 5000, count: 200)
    run.serviceTime.reset()
    run.scheduleError.reset()
    let text = try JSONReport.text(run)
    let changed = text.replacing(row.find, with: row.replacement, maxReplacements: 1)
    try #require(changed != text)
    let error = #expect(throws: RunFileError.self) { try RunResult(json: Array(changed.utf8)) }
    #expect(error?.description == row.testDescription)
  }

  @Test(arguments: [
    "[[5000,0]]", "[[5000]]", "[[5000,1],[5000,1]]", "[[5000,1],[4000,1]]", "[[5004,1],[5008,1]]",
    "[[3600000000001,1]]", "[[5000,18446744073709551615]]", "[[3000000000000,9007199254740992]]", "[]",
    "[[6000,2]]",
  ])
  func badBucketsAreRefused(buckets: String) throws {
    var run = Self.runs[0]
    run.latency.reset()
    run.latency.record(nanoseconds: 5000, count: 2)
    let text = try JSONReport.text(run)
    let changed = text.replacing("[[5000,2]]", with: buckets)
    try #require(changed != text)
    let error = #expect(throws: RunFileError.self) { try RunResult(json: Array(changed.utf8)) }
    #expect(error?.place.hasPrefix("latency") == true)
  }

  @Test(arguments: ["", "[]", "{", "nul", "{\"label\":\"x\"}", String(repeating: "[", count: 100_000)])
  func whatIsNoRunIsRefused(text: String) {
    #expect(throws: RunFileError.self) { try RunResult(json: Array(text.utf8)) }
  }

  @Test func ratesThatAreNoNumbersAreRefused() {
    var run = Self.runs[2]
    run.intervals[0].intendedRate = .nan
    #expect(throws: RunFileError.self) { try JSONReport.text(run) }
  }

  /// Whatever a file says: it is refused, or every report can be made of it.
  @Test(arguments: [UInt64(1), 2, 3, 4])
  func changedFilesNeverTrap(seed: UInt64) throws {
    var fixture = RunFixture(seed: seed)
    var run = fixture.ramp(label: "ramp")
    run.latency.reset()
    run.serviceTime.reset()
    run.scheduleError.reset()
    for value in [UInt64(1), 3000, 70_000_000] { run.latency.record(nanoseconds: value, count: 400) }
    run.intervals = Array(run.intervals.prefix(2))
    let bytes = Array(try JSONReport.text(run).utf8)
    let digits = Array("0123456789-.e,".utf8)
    var accepted = 0
    for _ in 0..<150 {
      var changed = bytes
      for _ in 0...Int(fixture.uniform() * 3) {
        let at = Int(fixture.uniform() * Double(changed.count))
        let byte = digits[Int(fixture.uniform() * Double(digits.count))]
        if fixture.uniform() < 0.5 { changed[at] = byte } else { changed.insert(byte, at: at) }
      }
      guard let read = try? RunResult(json: changed) else { continue }
      accepted += 1
      _ = TextReport(read).text
      _ = HTMLReport.page([read, run])
      _ = CSVReport.text([read])
      _ = HDRReport.text(read.latency)
      _ = try JSONReport.text(read)
    }
    #expect(accepted > 0)
  }
}
