import Testing

@testable import LoadReport

@Suite struct TextReportTests {
  /// A run with few, known figures.
  private func known(_ mode: LoadMode) -> RunResult {
    var run = RunResult(
      label: "edge", target: "http://127.0.0.1:8080/", mode: mode, connections: 64, threads: 1,
      startUnixSeconds: 1_795_000_000, durationNanoseconds: 2_000_000_000,
      warmUpNanoseconds: 1_000_000_000)
    run.tally.requestsSent = 2001
    run.tally.responses = 2000
    run.tally.successes = 1990
    run.tally.bytesRead = 2_097_152
    run.tally.bytesWritten = 100_000
    run.tally.connectionsOpened = 65
    run.tally.statuses.add(200, 1990)
    run.tally.statuses.add(503, 10)
    run.tally.errors.add(.unexpectedStatus, 10)
    run.tally.errors.add(.requestTimeout, 1)
    run.latency.record(nanoseconds: 1_000_000, count: 1900)
    run.latency.record(nanoseconds: 8_000_000, count: 100)
    run.cpuNanoseconds = 20_000_000
    run.busiestThreadNanoseconds = 20_000_000
    var sample = IntervalSample()
    for _ in 0..<1500 { sample.recordAnswer(latencyNanoseconds: 1_000_000) }
    run.intervals.append(sample.interval(startNanoseconds: 0, durationNanoseconds: 1_000_000_000))
    sample.reset()
    for _ in 0..<500 { sample.recordAnswer(latencyNanoseconds: 8_000_000) }
    run.intervals.append(
      sample.interval(startNanoseconds: 1_000_000_000, durationNanoseconds: 1_000_000_000))
    return run
  }

  @Test func closedLoop() {
    #expect(
      TextReport(known(.closed)).text == """
        edge: http://127.0.0.1:8080/
        closed loop, 64 connections, 1 thread, 2 s after 1 s of warm-up

        throughput   1,000 answers/s
        requests     2,001 sent, 2,000 answered, 11 FAILED (0.550 %)
        traffic      2.00 MiB (1.00 MiB/s) read, 97.7 KiB (48.8 KiB/s) written
        connections  65 opened
        generator    10.0 µs of CPU an answer, busiest thread 1.00 % of a core

        latency, from when a request was sent until its answer was whole
                    latency
          p50       1.00 ms
          p75       1.00 ms
          p90       1.00 ms
          p99      ~8.00 ms
          p99.9    ~8.00 ms
          p99.99   ~8.00 ms
          p99.999  ~8.00 ms
          max       8.00 ms
          mean      1.35 ms
          stdev     1.53 ms

        over time, 1 s a mark, from zero
          answers/s  █▃  500 to 1,500
          p99        ▂█  1.00 ms to 8.00 ms, worst at 0:01

        status
          200  1,990   99.5 %
          503     10  0.500 %

        errors
          unexpected_status  10  answered with an unexpected status
          request_timeout     1  no whole answer in time

        WARNING: 1 request got no whole answer; the latency figures do not contain it, so the real tail is worse.
        note: p99 and beyond (~) rest on fewer than 100 requests each; p99 takes 10,000 answers, this run had 2,000.

        """)
  }

  @Test func handshakes() {
    var run = known(.closed)
    run.tally.tls.handshakes = 1200
    run.tally.tls.resumed = 1136
    run.tally.tls.agreed = ["TLSv1.3 TLS_AES_256_GCM_SHA384": 1200]
    run.handshakeTime.record(nanoseconds: 300_000, count: 1199)
    run.handshakeTime.record(nanoseconds: 9_000_000, count: 1)
    #expect(
      TextReport(run).text.contains(
        """
        connections  65 opened
        TLS          1,200 handshakes (600/s), 1,136 resumed
                     TLSv1.3 TLS_AES_256_GCM_SHA384
        handshake    p50 300 µs, p90 300 µs, p99 ~300 µs, max 9.00 ms

        """))
    run.tally.tls.resumed = 1200
    run.tally.tls.agreed["TLSv1.2 AES128-SHA"] = 3
    let text = TextReport(run).text
    #expect(text.contains("all resumed\n"))
    #expect(text.contains("TLSv1.3 TLS_AES_256_GCM_SHA384 1,200, TLSv1.2 AES128-SHA 3\n"))
  }

  @Test func calls() {
    var run = known(.closed)
    run.protocolName = "gRPC"
    run.streams = 8
    run.tally.grpcStatuses.add(0, 1990)
    run.tally.grpcStatuses.add(14, 10)
    let text = TextReport(run).text
    #expect(text.contains("closed loop, gRPC, 64 connections, 1 thread, 8 streams on each connection, 2 s"))
    #expect(text.contains("grpc status\n  0 OK            1,990   99.5 %\n  14 UNAVAILABLE     10  0.500 %\n"))
  }

  @Test func openLoopShowsWhatLatencyIsMadeOf() {
    var run = known(.open(arrivals: .poisson, first: 1000, last: 1000))
    run.serviceTime.record(nanoseconds: 900_000, count: 2000)
    run.scheduleError.record(nanoseconds: 100_000, count: 2000)
    let text = TextReport(run).text
    #expect(text.contains("open loop, Poisson arrivals at 1,000/s, 64 connections"))
    #expect(text.contains("1,000 answers/s, 100 % of the intended 1,000/s"))
    #expect(text.contains("            latency  from sending  sent late by\n"))
    #expect(text.contains("  p50       1.00 ms        900 µs        100 µs\n"))
  }

  @Test func nothingFailedNothingSaid() {
    var run = known(.closed)
    run.tally.errors = ErrorCounts()
    let text = TextReport(run).text
    #expect(text.contains("none failed"))
    #expect(!text.contains("errors"))
    #expect(!text.contains("WARNING"))
  }

  @Test func stepsAndKnee() {
    var fixture = RunFixture(seed: 7)
    var run = fixture.ramp(label: "ramp")
    let text = TextReport(run).text
    #expect(text.contains("  35,000/s  30,000/s"))
    #expect(text.contains("too slow: 85.7 % answered\n"))
    #expect(text.contains("\nknee: 30,000/s at p99 "))
    #expect(text.contains("the highest rate that was sustained\n"))
    run.steps.removeLast(2)
    #expect(TextReport(run).text.contains("knee: not reached, sustained up to the highest rate tried: 30,000/s"))
    run.steps[2].failure = .latency
    #expect(TextReport(run).text.contains("p99 exploded"))
    for index in run.steps.indices { run.steps[index].failure = .errors }
    #expect(TextReport(run).text.contains("knee: below 5,000/s, not one step was sustained"))
  }

  @Test func unsteadyKneeIsDoubted() {
    var fixture = RunFixture(seed: 7)
    var run = fixture.ramp(label: "ramp")
    run.steps[1].failure = .slow
    #expect(TextReport(run).text.contains("sustained (unsteady: 1 lower step not sustained)"))
  }

  @Test func asciiIsASCII() {
    var fixture = RunFixture(seed: 3)
    var run = fixture.run(label: "größe", seconds: 3, rate: 500)
    run.target = "http://127.0.0.1/\u{1B}[2J"
    let text = TextReport(run, style: .ascii).text
    #expect(text.utf8.allSatisfy { $0 == 0x0A || (0x20..<0x7F).contains($0) })
    #expect(text.hasPrefix("gr??e: http://127.0.0.1/?[2J\n"))
  }

  @Test func noLineEndsInSpace() {
    var fixture = RunFixture(seed: 3)
    for line in TextReport(fixture.ramp(label: "r")).text.split(separator: "\n") {
      #expect(line.last != " ")
    }
  }
}
