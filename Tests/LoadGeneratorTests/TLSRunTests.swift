import LoadBase
import LoadOrigin
import LoadReport
import Primitives
import TLS
import Testing

@testable import LoadGenerator

// Part of the suite whose runs keep times: one after the other.
extension RunTests {
  /// Runs over TLS against the origin that goes with the generator, in this process.
  @Suite struct OverTLS {
    private static let identity = try? TLSIdentity.selfSigned(
      commonName: "test", names: "DNS:origin.example,IP:127.0.0.1", validFrom: 0, validUntil: 4_000_000_000)

    private func run(
      _ traffic: ClientProtocol = .http(.http1, [RequestPlan(authority: "test", path: "/")]), trusts: Bool = true,
      name: String = "origin.example", _ set: (inout LoadPlan) -> Void
    ) throws -> LoadOutcome {
      let identity = try #require(Self.identity)
      var origin = OriginPlan(address: try #require(SocketAddress("127.0.0.1:0")))
      origin.identity = identity
      if case .tcpEcho = traffic { origin.isEcho = true }
      let server = try Origin(origin)
      defer { _ = server.stop() }
      var plan = LoadPlan(target: "test", address: server.address, traffic: traffic)
      plan.connections = 4
      plan.duration = nil
      plan.requests = 400
      plan.tls = TLSPlan(
        serverName: name, authorities: trusts ? try TrustStore(certificates: identity.chain) : nil)
      set(&plan)
      return try LoadRun(plan).run(
        pause: {
          sleepBriefly(milliseconds: $0)
          return false
        }, progress: { _ in })
    }

    private func result(_ outcome: LoadOutcome) throws -> RunResult {
      guard case .finished(let result, _) = outcome else { throw RunFailure("\(outcome)") }
      return result
    }

    private func reason(_ outcome: LoadOutcome) -> String {
      if case .failed(let sentence) = outcome { return sentence }
      return ""
    }

    @Test(arguments: [(UInt16(0x0303), "TLSv1.2 "), (0x0304, "TLSv1.3 ")])
    func everyRequestIsAnsweredOnce(version: UInt16, words: String) throws {
      let result = try result(
        run {
          $0.tls?.versionMin = version
          $0.tls?.versionMax = version
        })
      #expect(result.tally.successes == 400 && result.tally.errors.total == 0)
      #expect(result.tally.tls.handshakes == 4 && result.tally.tls.resumed == 0)
      #expect(result.tally.tls.agreed.keys.allSatisfy { $0.hasPrefix(words) } && result.tally.tls.agreed.count == 1)
      #expect(result.handshakeTime.count == 4 && result.handshakeTime.min > 50_000)
      // Records are more than what is in them, and both are counted as they passed the socket.
      #expect(result.tally.bytesRead > 400 * 1046 && result.tally.bytesWritten > 400 * 50)
    }

    @Test(arguments: [UInt16(0x0303), 0x0304])
    func connectionsResume(version: UInt16) throws {
      let result = try result(
        run {
          $0.newConnectionPerRequest = true
          $0.tls?.versionMax = version
          $0.tls?.resumes = true
        })
      #expect(result.tally.successes == 400)
      #expect(result.tally.tls.handshakes == 400 && result.tally.tls.resumed >= 392)
      let without = try self.result(run { $0.newConnectionPerRequest = true })
      #expect(without.tally.tls.handshakes == 400 && without.tally.tls.resumed == 0)
    }

    @Test func largeBodiesBothWays() throws {
      let upload = ClientProtocol.http(.http1, [
        RequestPlan(method: "POST", authority: "t", path: "/size/3m", body: .size(1_000_000, 1_000_100))
      ])
      let result = try result(
        run(upload) {
          $0.requests = 20
          $0.check.bodyBytes = 3 << 20
        })
      #expect(result.tally.successes == 20)
    }

    @Test func echo() throws {
      let result = try result(
        run(.tcpEcho(bytes: 100_000)) {
          $0.requests = 50
          $0.pipelining = 2
        })
      #expect(result.tally.successes == 50 && result.tally.errors.total == 0)
    }

    @Test func theServerMustBeTheOneThatIsMeant() throws {
      #expect(try result(run(name: "127.0.0.1") { _ in }).tally.successes == 400)
      #expect(
        reason(try run(name: "other.example") { _ in }).hasSuffix("the peer's certificate is not for other.example"))
      #expect(try result(run(trusts: false, name: "other.example") { _ in }).tally.successes == 400)
      let stranger = try TLSIdentity.selfSigned(
        commonName: "x", names: "DNS:x", validFrom: 0, validUntil: 4_000_000_000)
      let store = try TrustStore(certificates: stranger.chain)
      let text = reason(try run { $0.tls?.authorities = store })
      #expect(text.contains("the peer's certificate is not trusted (self-signed certificate)"), "\(text)")
    }
  }
}
