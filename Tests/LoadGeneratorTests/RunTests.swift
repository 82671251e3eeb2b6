import LoadBase
import LoadOrigin
import LoadReport
import Primitives
import Testing

@testable import LoadGenerator

/// Runs of the generator against the origin that goes with it, in this process.
@Suite(.serialized) struct RunTests {
  private func run(
    _ origin: OriginPlan? = nil, path: String = "/", traffic: ClientProtocol? = nil,
    _ set: (inout LoadPlan) -> Void
  ) throws -> (RunResult, served: UInt64) {
    let address = try #require(SocketAddress("127.0.0.1:0"))
    let server = try Origin(origin ?? OriginPlan(address: address))
    var plan = LoadPlan(
      target: "test", address: server.address,
      traffic: traffic ?? .http(.http1, [RequestPlan(authority: "test", path: path)]))
    plan.connections = 4
    plan.duration = nil
    set(&plan)
    let outcome = try LoadRun(plan).run(pause: pause, progress: { _ in })
    let served = server.stop()
    guard case .finished(let result, _) = outcome else {
      Issue.record("\(outcome)")
      throw RunFailure("\(outcome)")
    }
    return (result, served)
  }

  private func pause(_ milliseconds: Int32) -> Bool {
    sleepBriefly(milliseconds: milliseconds)
    return false
  }

  private func origin(_ set: (inout OriginPlan) -> Void) throws -> OriginPlan {
    var plan = OriginPlan(address: try #require(SocketAddress("127.0.0.1:0")))
    set(&plan)
    return plan
  }

  @Test(arguments: [1, 3])
  func everyRequestIsAnsweredOnce(threads: Int) throws {
    let (result, served) = try run {
      $0.requests = 10_001
      $0.threads = threads
    }
    #expect(result.tally.requestsSent == 10_001 && served == 10_001)
    #expect(result.tally.successes == 10_001 && result.tally.errors.total == 0)
    #expect(result.tally.statuses[200] == 10_001)
    #expect(result.latency.count == 10_001)
    #expect(result.tally.connectionsOpened == 4)
    #expect(result.intervals.reduce(0) { $0 + $1.requests } == 10_001)
  }

  @Test func pipelined() throws {
    let (result, served) = try run {
      $0.requests = 20_000
      $0.pipelining = 16
    }
    #expect(result.tally.successes == 20_000 && served == 20_000)
    #expect(result.tally.connectionsOpened == 4)
  }

  @Test func aConnectionForEachRequest() throws {
    let (result, served) = try run {
      $0.requests = 500
      $0.newConnectionPerRequest = true
    }
    #expect(result.tally.successes == 500 && served == 500)
    #expect(result.tally.connectionsOpened == 500 && result.tally.errors.total == 0)
  }

  @Test func openLoopSendsWhatIsDue() throws {
    let (result, _) = try run {
      // So many that what is due when the end comes finds one, though a thread was kept from it for a while.
      $0.connections = 64
      $0.duration = 1_000_000_000
      $0.warmUp = 200_000_000
      $0.threads = 2
      $0.pace = .open(
        .constant(rate: 2000, duration: 1_000_000_000, warmUp: 200_000_000), .constant)
    }
    #expect(result.tally.requestsSent == 2000 && result.tally.successes == 2000)
    #expect(result.scheduleError.count == 2000 && result.serviceTime.count == 2000)
    // It ends with the last answer, which may be a little before the end of the schedule.
    #expect((980_000_000...1_000_000_000).contains(result.durationNanoseconds))
    #expect(result.intervals.count == 20)
  }

  @Test func aTargetThatCannotKeepUp() throws {
    // Four connections and 20 ms an answer: 200 a second, where 1,000 are due.
    let (result, _) = try run(try origin { $0.delay = .fixed(20_000_000) }) {
      $0.duration = 1_000_000_000
      $0.pace = .open(.constant(rate: 1000, duration: 1_000_000_000, warmUp: 0), .constant)
    }
    #expect(result.tally.requestsSent + result.tally.requestsUnsent == 1000)
    #expect(result.tally.requestsSent <= 204)
    // All but the first four, and how many those are depends on the machine.
    #expect(result.tally.requestsSent > 40)
    #expect(result.tally.waitedForConnection + 10 >= result.tally.requestsSent)
    // The wait is in the latency: the last ones were due most of a second before.
    #expect(result.latency.max > 700_000_000)
    #expect(result.serviceTime.percentile(50) < 200_000_000)
  }

  @Test func stepsAndKnee() throws {
    // 8 ms an answer and four connections: 500 a second at most. The first step has 40 ms to spare at its end.
    let (result, _) = try run(try origin { $0.delay = .fixed(8_000_000) }) {
      $0.duration = 2_000_000_000
      $0.pace = .open(
        .ramp(from: 20, to: 1500, count: 4, stepLength: 500_000_000, warmUp: 0), .constant)
    }
    #expect(result.steps.count == 4)
    #expect(result.steps.first?.isSustained == true && result.steps.last?.isSustained == false)
    #expect(result.knee != nil)
  }

  @Test func theStallShowsInOpenLoopAlone() throws {
    // One request in 400 takes 400 ms; the connection is the only one, so all others wait for it.
    let paths = [
      RequestPlan(weight: 399, authority: "t", path: "/"),
      RequestPlan(weight: 1, authority: "t", path: "/delay/400ms"),
    ]
    let (closed, _) = try run(traffic: .http(.http1, paths)) {
      $0.connections = 1
      $0.requests = 2000
    }
    let (open, _) = try run(traffic: .http(.http1, paths)) {
      $0.connections = 1
      $0.duration = 2_000_000_000
      $0.pace = .open(.constant(rate: 1000, duration: 2_000_000_000, warmUp: 0), .constant)
    }
    #expect(closed.latency.percentile(99) < 100_000_000)
    #expect(open.latency.percentile(99) > 300_000_000)
    #expect(open.serviceTime.percentile(99) < 100_000_000)
  }

  @Test func statusesAndFaults() throws {
    let faulty = try origin { plan in
      plan.faults = [
        OriginFault(fraction: 0.2, kind: .status(503)), OriginFault(fraction: 0.1, kind: .reset),
        OriginFault(fraction: 0.1, kind: .close),
      ]
    }
    let (result, _) = try run(faulty) { $0.requests = 3000 }
    let errors = result.tally.errors
    #expect(result.tally.requestsSent == 3000)
    #expect(result.tally.successes + errors.total == 3000)
    #expect(result.tally.statuses[503] == errors[.unexpectedStatus])
    // Five standard deviations of each count.
    #expect(abs(Double(errors[.unexpectedStatus]) - 600) < 110)
    #expect(abs(Double(errors[.reset]) - 300) < 83 && abs(Double(errors[.closedEarly]) - 300) < 83)
  }

  @Test func silenceTimesOut() throws {
    let silent = try origin { $0.faults = [OriginFault(fraction: 1, kind: .silence)] }
    let (result, _) = try run(silent) {
      $0.requests = 8
      $0.timeout = 50_000_000
    }
    #expect(result.tally.errors[.requestTimeout] == 8 && result.tally.responses == 0)
  }

  @Test func bodiesAreChecked() throws {
    let alphabet = (0..<1024).map { UInt8(97 + $0 % 26) }
    let right: (inout LoadPlan) -> Void = {
      $0.requests = 100
      $0.check.bodyBytes = 1024
      $0.check.body = alphabet
      $0.check.bodyHash = alphabet.withUnsafeBufferPointer { buffer in
        buffer.baseAddress.map { xxHash64(ByteView($0, buffer.count)) }
      }
    }
    for isChunked in [false, true] {
      let (good, _) = try run(try origin { $0.isChunked = isChunked }, right)
      #expect(good.tally.successes == 100, "chunked: \(isChunked)")
    }
    let (short, _) = try run(path: "/size/1023", right)
    #expect(short.tally.errors[.lengthMismatch] == 100 && short.tally.responses == 100)
    let (other, _) = try run {
      $0.requests = 100
      $0.check.body = alphabet.dropLast() + [0]
    }
    #expect(other.tally.errors[.bodyMismatch] == 100)
    let (hash, _) = try run {
      $0.requests = 100
      $0.check.bodyHash = 1
    }
    #expect(hash.tally.errors[.bodyMismatch] == 100)
  }

  @Test func largeBodiesBothWays() throws {
    let upload = ClientProtocol.http(.http1, [
      RequestPlan(method: "POST", authority: "t", path: "/size/3m", body: .size(1_000_000, 1_000_100))
    ])
    let (result, _) = try run(traffic: upload) {
      $0.requests = 40
      $0.check.bodyBytes = 3 << 20
    }
    #expect(result.tally.successes == 40)
    #expect(result.tally.bytesWritten > 40_000_000 && result.tally.bytesRead > 120 << 20)
  }

  @Test func slowBodies() throws {
    let slow = try origin {
      $0.bodyBytes = 10_000
      $0.bodyRate = 100_000
    }
    let (result, _) = try run(slow) {
      $0.requests = 4
      $0.check.bodyBytes = 10_000
    }
    #expect(result.tally.successes == 4)
    #expect(result.latency.min > 80_000_000 && result.latency.max < 1_000_000_000)
  }

  @Test(arguments: [1, 1000, 300_000])
  func echo(size: Int) throws {
    let (result, echoed) = try run(
      try origin { $0.isEcho = true }, traffic: .tcpEcho(bytes: size)
    ) {
      $0.requests = 200
      $0.pipelining = 2
    }
    #expect(result.tally.successes == 200 && result.tally.errors.total == 0)
    #expect(echoed == UInt64(200 * size))
  }

  @Test func aUnixSocket() throws {
    let plan = OriginPlan(address: .pipe("@apus-load-test-\(UInt32.random(in: 0 ... .max))"))
    let (result, _) = try run(plan) { $0.requests = 100 }
    #expect(result.tally.successes == 100)
  }

  @Test func nothingListens() throws {
    let port = try #require(BoundPort())
    let address = try #require(SocketAddress("127.0.0.1:\(port.number)"))
    var plan = LoadPlan(
      target: "t", address: address, traffic: .http(.http1, [RequestPlan(authority: "t", path: "/")]))
    plan.duration = 60_000_000_000
    guard case .failed(let text) = try LoadRun(plan).run(pause: pause, progress: { _ in }) else {
      return #expect(Bool(false))
    }
    withExtendedLifetime(port) {}
    #expect(text == "nothing listens at \(address) (connection refused)")
  }

  @Test func anInterruptedRunReportsWhatWasDone() throws {
    let server = try Origin(OriginPlan(address: try #require(SocketAddress("127.0.0.1:0"))))
    defer { _ = server.stop() }
    var plan = LoadPlan(
      target: "t", address: server.address,
      traffic: .http(.http1, [RequestPlan(authority: "t", path: "/")]))
    plan.duration = 600_000_000_000
    var answered: UInt64 = 0
    let outcome = try LoadRun(plan).run(
      pause: {
        sleepBriefly(milliseconds: $0)
        return answered > 0
      }, progress: { answered += $0.intervals.reduce(0) { $0 + $1.requests } })
    guard case .finished(let result, _) = outcome else { return #expect(Bool(false)) }
    #expect(result.tally.responses > 0 && result.durationNanoseconds < 60_000_000_000)
    #expect(result.intervals.reduce(0) { $0 + $1.durationNanoseconds } == result.durationNanoseconds)
  }
}
