import HostHealth
import Primitives
import Testing

@testable import Proxy

struct FailureSentenceTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let want: String
    let write: @Sendable (inout FailureText) -> Void
    var testDescription: String { want }

    init(_ want: String, _ write: @escaping @Sendable (inout FailureText) -> Void) {
      self.want = want
      self.write = write
    }
  }

  private static func place(_ body: (FailureSentences.Place) -> Void) {
    body(FailureSentences.Place(host: ByteView("10.1.1.2:80"), cluster: ByteView("a")))
  }

  private static let millisecond: UInt64 = 1_000_000
  private static let second: UInt64 = 1_000_000_000

  private static let connections: [Row] = [
    Row("no connection to 10.1.1.2:80 (cluster a): connection refused (ECONNREFUSED) after 1 ms while connecting") { text in
      place {
        FailureSentences.noConnection(
          &text, $0, errno: 111, reason: ByteView("Connection_refused"), spent: millisecond)
      }
    },
    Row("no connection to 10.1.1.2:80 (cluster a): level 2 halted after under 1 ms while connecting") { text in
      place { FailureSentences.noConnection(&text, $0, errno: 51, reason: ByteView("Level_2_halted"), spent: 5) }
    },
    Row("no connection to 10.1.1.2:80 (cluster a): no answer in 250 ms; decided by connect_timeout 250 ms") { text in
      place { FailureSentences.noAnswer(&text, $0, timeout: 250 * millisecond, isHandshake: false) }
    },
    Row("TLS with 10.1.1.2:80 (cluster a): the handshake was not over in 5 s; decided by connect_timeout 5 s") { text in
      place { FailureSentences.noAnswer(&text, $0, timeout: 5 * second, isHandshake: true) }
    },
    Row(
      "TLS with 10.1.1.2:80 (cluster a): CERTIFICATE_VERIFY_FAILED:verify cert failed: SAN matcher, certificate SANs are [b.example] after 4 ms in the handshake; decided by match_typed_subject_alt_names"
    ) { text in
      place {
        FailureSentences.noTLS(
          &text, $0,
          reason: ByteView(
            "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: SAN matcher, certificate SANs are [b.example]:TLS_error_end"
          ), spent: 4 * millisecond)
      }
    },
    Row("TLS with 10.1.1.2:80 (cluster a): the host closed the connection after 12.3 s in the handshake") { text in
      place { FailureSentences.noTLS(&text, $0, reason: .empty, spent: 12_345 * millisecond) }
    },
  ]

  private static func progress(_ milliseconds: UInt64, isInResponse: Bool = false) -> FailureSentences.Progress {
    FailureSentences.Progress(sentAgo: milliseconds * millisecond, isInResponse: isInResponse)
  }

  private static let exchanges: [Row] = [
    Row("reset: 10.1.1.2:80 (cluster a) closed the connection 3 ms after the request went there, before a response") { text in
      place { FailureSentences.closed(&text, $0, errno: 0, reason: .empty, progress(3)) }
    },
    Row(
      "reset: 10.1.1.2:80 (cluster a) broke the connection, connection reset by peer (ECONNRESET), 3 ms after the request went there, in the response"
    ) { text in
      place {
        FailureSentences.closed(
          &text, $0, errno: 104, reason: ByteView("Connection_reset_by_peer"), progress(3, isInResponse: true))
      }
    },
    Row("reset: 10.1.1.2:80 (cluster a) reset the stream before anything of the request was sent") { text in
      place { FailureSentences.reset(&text, $0, progress(0)) }
    },
    Row("refused: 10.1.1.2:80 (cluster a) takes no more requests on this connection and has not begun with this one") {
      text in place { FailureSentences.refused(&text, $0) }
    },
    Row(
      "protocol error: 10.1.1.2:80 (cluster a) sent what is no response (http1.bad_status_line) 3 ms after the request went there, before a response"
    ) { text in
      place { FailureSentences.protocolError(&text, $0, detail: ByteView("http1.bad_status_line"), progress(3)) }
    },
    Row("unsendable: 10.1.1.2:80 (cluster a) cannot be sent the request: request headers too large") { text in
      place { FailureSentences.unsendable(&text, $0, reason: "request headers too large") }
    },
  ]

  private static let times: [Row] = [
    Row(
      "timeout: 10.1.1.2:80 (cluster a) sent no response in 15 s; decided by route timeout 15 s (the default); the request went there 15.0 s ago"
    ) { text in
      place {
        FailureSentences.timeout(
          &text, $0, .response, setting: "route timeout", 15 * second, isDefault: true, sentAgo: 15 * second)
      }
    },
    Row("timeout: no connection to 10.1.1.2:80 (cluster a) was free in 1500 ms; decided by route timeout 1500 ms") { text in
      place { FailureSentences.timeout(&text, $0, .connection, setting: "route timeout", 1500 * millisecond) }
    },
    Row("timeout: the client had not sent all of its request in 5 s; decided by stream_idle_timeout 5 s") { text in
      place { FailureSentences.timeout(&text, $0, .client, setting: "stream_idle_timeout", 5 * second) }
    },
    Row("timeout: another attempt after 10.1.1.2:80 (cluster a) was not due in 1 s; decided by route timeout 1 s") { text in
      place { FailureSentences.timeout(&text, $0, .attempt, setting: "route timeout", second) }
    },
  ]

  private static let limits: [Row] = [
    Row(
      "overflow: cluster a has 1024 requests waiting; decided by circuit_breakers max_pending_requests 1024 (the default), priority DEFAULT"
    ) { text in
      FailureSentences.overflow(
        &text, cluster: ByteView("a"),
        FailureSentences.LimitName(
          what: "requests waiting", setting: "max_pending_requests", value: 1024, isDefault: true))
    },
    Row("overflow: cluster a has 7 requests at its hosts; decided by circuit_breakers max_requests 7, priority HIGH") { text in
      FailureSentences.overflow(
        &text, cluster: ByteView("a"),
        FailureSentences.LimitName(what: "requests at its hosts", setting: "max_requests", value: 7, isHigh: true))
    },
    Row("refused: cluster a answers 30 % of requests without a host; decided by drop_overloads") { text in
      FailureSentences.refusedShare(&text, cluster: ByteView("a"), setting: "drop_overloads", percent: 30)
    },
  ]

  private static func absence(
    _ total: Int, checks: Int = 0, ejected: Int = 0, discovered: Int = 0, threshold: UInt32 = 0, fails: Bool = false,
    check: HostCheckNote = HostCheckNote(), ejection: HostEjectionNote = .none
  ) -> @Sendable (inout FailureText) -> Void {
    { text in
      FailureSentences.noHost(
        &text, cluster: ByteView("a"),
        FailureSentences.Absence(
          total: total, failedChecks: checks, ejected: ejected, discovered: discovered, lastCheck: check,
          ejection: ejection, panicThreshold: threshold, failsInPanic: fails), now: 1000 * millisecond)
    }
  }

  private static let hosts: [Row] = [
    Row("no host: cluster a has no hosts", absence(0)),
    Row(
      "no host: cluster a has 3 hosts: 2 failed checks (last: 503), 1 ejected (consecutive_5xx, 22 s left); healthy_panic_threshold 0 forbids to try them",
      absence(
        3, checks: 2, ejected: 1, check: HostCheckNote(.active, status: 503),
        ejection: HostEjectionNote(.consecutive5xx, untilMilliseconds: 23_400))),
    Row(
      "no host: cluster a has 1 host: 1 failed checks (last: no answer in time); fail_traffic_on_panic forbids to try them",
      absence(1, checks: 1, threshold: 50, fails: true, check: HostCheckNote(.networkTimeout, status: 0))),
    Row(
      "no host: cluster a has 2 hosts: 2 configured as unhealthy or draining; healthy_panic_threshold 0 forbids to try them",
      absence(2, discovered: 2)),
    Row("no host: cluster a has 2 hosts, of which none may be chosen", absence(2)),
  ]

  @Test(arguments: connections + exchanges + times + limits + hosts)
  func sentence(_ row: Row) {
    let room = UnsafeMutablePointer<UInt8>.allocate(capacity: FailureText.bytesMax)
    defer { room.deallocate() }
    var text = FailureText(room)
    row.write(&text)
    #expect(text.view.string == row.want)
  }

  @Test func whateverIsInASentenceIsOneLineAndFits() {
    let room = UnsafeMutablePointer<UInt8>.allocate(capacity: FailureText.bytesMax)
    defer { room.deallocate() }
    var text = FailureText(room)
    text.put(ByteView("a\r\nb\u{0}c\u{7f}"))
    #expect(text.view.string == "a??b?c?")
    for _ in 0..<200 { text.put("longer ") }
    text.put(words: ByteView("even_longer"))
    text.put(UInt64.max)
    #expect(text.count == FailureText.bytesMax)
  }
}
