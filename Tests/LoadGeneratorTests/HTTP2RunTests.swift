import LoadBase
import LoadOrigin
import LoadReport
import Primitives
import TLS
import Testing

@testable import LoadGenerator

// Part of the suite whose runs keep times: one after the other.
extension RunTests {
  /// Runs over HTTP/2 against the origin that goes with the generator, in this process.
  @Suite struct OverHTTP2 {
    private func run(
      _ traffic: ClientProtocol = .http(.http2, [RequestPlan(authority: "test", path: "/")]),
      origin set: (inout OriginPlan) -> Void = { _ in }, _ change: (inout LoadPlan) -> Void
    ) throws -> (RunResult, served: UInt64) {
      var origin = OriginPlan(address: try #require(SocketAddress("127.0.0.1:0")))
      set(&origin)
      let server = try Origin(origin)
      var plan = LoadPlan(target: "test", address: server.address, traffic: traffic)
      plan.connections = 2
      plan.streams = 8
      plan.duration = nil
      plan.requests = 1000
      change(&plan)
      let outcome = try LoadRun(plan).run(
        pause: {
          sleepBriefly(milliseconds: $0)
          return false
        }, progress: { _ in })
      let served = server.stop()
      guard case .finished(let result, _) = outcome else { throw RunFailure("\(outcome)") }
      return (result, served)
    }

    private func requests(_ path: String, method: String = "GET", body: RequestBody = .none) -> [RequestPlan] {
      [RequestPlan(method: method, authority: "t", path: path, body: body)]
    }

    @Test(arguments: [1, 2])
    func everyRequestIsAnsweredOnce(threads: Int) throws {
      let (result, served) = try run {
        $0.requests = 10_001
        $0.threads = threads
      }
      #expect(result.tally.requestsSent == 10_001 && served == 10_001)
      #expect(result.tally.successes == 10_001 && result.tally.errors.total == 0)
      #expect(result.tally.connectionsOpened == 2 && result.latency.count == 10_001)
      #expect(result.protocolName == "HTTP/2" && result.streams == 8)
      // Fields that come again are one byte each.
      #expect(result.tally.bytesWritten < 10_001 * 25)
    }

    @Test func openLoop() throws {
      let (result, _) = try run {
        $0.requests = nil
        $0.duration = 500_000_000
        $0.pace = .open(.constant(rate: 2000, duration: 500_000_000, warmUp: 0), .constant)
      }
      #expect(result.tally.requestsSent + result.tally.requestsUnsent == 1000)
      #expect(result.tally.successes == result.tally.requestsSent && result.tally.successes > 900)
    }

    @Test func bodiesAreChecked() throws {
      let alphabet = (0..<1024).map { UInt8(97 + $0 % 26) }
      for isChunked in [false, true] {
        let (good, _) = try run(origin: { $0.isChunked = isChunked }) {
          $0.check.bodyBytes = 1024
          $0.check.body = alphabet
          $0.check.bodyHash = alphabet.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { xxHash64(ByteView($0, buffer.count)) }
          }
        }
        #expect(good.tally.successes == 1000)
      }
      let (short, _) = try run(.http(.http2, requests("/size/1023"))) { $0.check.bodyBytes = 1024 }
      #expect(short.tally.errors[.lengthMismatch] == 1000 && short.tally.responses == 1000)
      let (other, _) = try run { $0.check.body = alphabet.dropLast() + [0] }
      #expect(other.tally.errors[.bodyMismatch] == 1000)
      let (head, _) = try run(.http(.http2, requests("/", method: "HEAD"))) { $0.check.bodyBytes = 5 }
      #expect(head.tally.successes == 1000)
    }

    @Test func largeBodiesBothWays() throws {
      let upload = ClientProtocol.http(
        .http2, requests("/size/3m", method: "POST", body: .size(1_000_000, 1_000_100)))
      let (result, served) = try run(upload) {
        $0.requests = 40
        $0.check.bodyBytes = 3 << 20
      }
      #expect(result.tally.successes == 40 && served == 40)
      #expect(result.tally.bytesWritten > 40_000_000 && result.tally.bytesRead > 120 << 20)
    }

    @Test func slowBodies() throws {
      let (result, _) = try run(origin: {
        $0.bodyBytes = 10_000
        $0.bodyRate = 100_000
      }) {
        $0.requests = 16
        $0.check.bodyBytes = 10_000
      }
      // Each stream has a rate of its own.
      #expect(result.tally.successes == 16)
      #expect(result.latency.min > 80_000_000 && result.latency.max < 1_000_000_000)
    }

    @Test func statusesAndFaults() throws {
      let (result, _) = try run(origin: { plan in
        plan.faults = [
          OriginFault(fraction: 0.2, kind: .status(503)), OriginFault(fraction: 0.1, kind: .reset),
        ]
      }) { $0.requests = 3000 }
      let errors = result.tally.errors
      #expect(result.tally.successes + errors.total == 3000)
      #expect(result.tally.statuses[503] == errors[.unexpectedStatus])
      // Five standard deviations of each count; a reset ends one request alone.
      #expect(abs(Double(errors[.unexpectedStatus]) - 600) < 110 && abs(Double(errors[.streamReset]) - 300) < 83)
      #expect(result.tally.connectionsOpened == 2)
      let (closed, _) = try run(origin: { $0.faults = [OriginFault(fraction: 0.01, kind: .close)] }) {
        $0.requests = 3000
      }
      #expect(closed.tally.errors[.closedEarly] > 0 && closed.tally.connectionsOpened > 2)
      #expect(closed.tally.successes + closed.tally.errors.total == 3000)
    }

    @Test func aStreamTimesOutAlone() throws {
      let (result, _) = try run(
        .http(.http2, requests("/") + requests("/delay/1s")), origin: { _ in }
      ) {
        $0.connections = 1
        $0.requests = 200
        // Nothing at all for twice as long ends the connection.
        $0.timeout = 250_000_000
      }
      #expect(result.tally.successes > 50 && result.tally.errors[.requestTimeout] > 50)
      #expect(result.tally.successes + result.tally.errors[.requestTimeout] == 200)
      #expect(result.tally.connectionsOpened == 1)
    }

    @Test func silenceOfAllEndsTheConnection() throws {
      let (result, _) = try run(origin: { $0.faults = [OriginFault(fraction: 1, kind: .silence)] }) {
        $0.requests = 64
        $0.timeout = 50_000_000
      }
      #expect(result.tally.errors[.requestTimeout] == 64 && result.tally.connectionsOpened > 2)
    }

    @Test(arguments: [HTTPVersionChoice.http1, .http2, .negotiated])
    func overTLS(choice: HTTPVersionChoice) throws {
      let identity = try TLSIdentity.selfSigned(
        commonName: "t", names: "DNS:t", validFrom: 0, validUntil: 4_000_000_000)
      for isAlone in [false, true] {
        let (result, served) = try run(
          .http(choice, requests("/{n}", method: "POST", body: .size(10, 20))), origin: { $0.identity = identity }
        ) {
          $0.tls = TLSPlan(serverName: "t", authorities: nil)
          $0.requests = 200
          $0.newConnectionPerRequest = isAlone
          $0.streams = isAlone ? 1 : 8
        }
        #expect(result.tally.successes == 200 && served == 200)
        #expect(result.tally.tls.handshakes == (isAlone ? 200 : 2))
        #expect(result.protocolName == (choice == .http1 ? "HTTP/1.1" : "HTTP/2"))
      }
    }

    @Test func aConnectionForEachRequest() throws {
      let (result, served) = try run {
        $0.requests = 300
        $0.streams = 1
        $0.newConnectionPerRequest = true
      }
      #expect(result.tally.successes == 300 && served == 300 && result.tally.connectionsOpened == 300)
    }

    // MARK: gRPC

    @Test func calls() throws {
      let (result, served) = try run(
        .grpc(requests("/a.B/C", method: "POST", body: .size(0, 300))), origin: { $0.isGRPC = true }
      ) { $0.check.bodyBytes = 1024 }
      #expect(result.tally.successes == 1000 && served == 1000 && result.tally.errors.total == 0)
      #expect(result.tally.grpcStatuses[0] == 1000 && result.tally.statuses[200] == 1000)
      #expect(result.protocolName == "gRPC")
    }

    @Test(arguments: [("/status/503", 14), ("/status/404", 12), ("/status/7", 7), ("/status/0", 0), ("/status/204", 0)])
    func howCallsEnd(path: String, code: Int) throws {
      let (result, _) = try run(
        .grpc(requests(path, method: "POST")), origin: { $0.isGRPC = true }
      ) { $0.requests = 50 }
      #expect(result.tally.grpcStatuses[code] == 50 && result.tally.statuses[200] == 50)
      #expect(result.tally.errors[.unexpectedStatus] == (code == 0 ? 0 : 50))
    }

    @Test func anOriginThatIsNotForCalls() throws {
      // No grpc-status: what clients make of the HTTP status, and letters are no message.
      let (result, _) = try run(.grpc(requests("/status/503/size/0", method: "POST"))) { $0.requests = 50 }
      #expect(result.tally.grpcStatuses[14] == 50 && result.tally.errors[.unexpectedStatus] == 50)
      let (letters, _) = try run(.grpc(requests("/", method: "POST"))) { $0.requests = 50 }
      #expect(letters.tally.errors[.protocolError] == 50)
      let (plain, _) = try run(.http(.http1, requests("/")), origin: { $0.isGRPC = true }) { $0.requests = 50 }
      #expect(plain.tally.statuses[505] == 50)
    }
  }
}
