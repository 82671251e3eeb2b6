import Primitives
import TLSHarness
import Testing

@testable import TLS

/// Reasons as people see them: docs/design/tls.md, section 9.3.
@Suite struct FailureTextTests {
  static func text(_ words: String) -> String { "TLS_error:|\(words):TLS_error_end" }

  /// What a server says to these bytes.
  static func server(_ bytes: [UInt8], offered: UInt16 = 0, change: (inout TLSContextOptions) -> Void = { _ in }) throws -> String {
    let connection = try Connection(server: change)
    connection.server.receive(bytes)
    #expect(connection.server.hasFailed)
    #expect(connection.server.handshake.failure == .connectionError)
    return connection.server.handshake.failureText(offered: offered)
  }

  @Test func plainText() throws {
    let http = Self.text("268435612:SSL routines:OPENSSL_internal:HTTP_REQUEST:the client speaks plain HTTP")
    #expect(TLSFailureText.plain(.http) == http)
    #expect(try Self.server(Array("GET / HTTP/1.1\r\n\r\n".utf8)) == http, "the library says the same")
    let other = Self.text("268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:the client does not speak TLS")
    #expect(TLSFailureText.plain(.other) == other)
    #expect(try Self.server(Array("SSH-2.0-OpenSSH_9\r\n".utf8)) == other)
    #expect(TLSFailureText.plain(.httpConnect).contains("268435611:SSL routines:OPENSSL_internal:HTTPS_PROXY_REQUEST"))
  }

  @Test func aHostThatAnswersInPlainText() throws {
    let connection = try Connection()
    connection.client.receive(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
    #expect(
      connection.client.handshake.failureText()
        == Self.text("268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:the host does not speak TLS"))
  }

  @Test func tooOldAClient() throws {
    var hello = HelloBuilder()
    hello.version = [3, 2]
    #expect(
      try Self.server(hello.records(), offered: 0x0302)
        == Self.text("268435696:SSL routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL:the client offers at most TLS 1.1"))
  }

  @Test func nothingInCommon() throws {
    var hello = HelloBuilder(extensions: [HelloBuilder.list(10, [23]), HelloBuilder.list(13, [0x0403])])
    hello.suites = [0, 0x2f]
    #expect(
      try Self.server(hello.records()) == Self.text("268435640:SSL routines:OPENSSL_internal:NO_SHARED_CIPHER"))
  }

  @Test func thePeerRejectsUs() throws {
    let connection = try Connection()
    connection.client.receive([])
    connection.server.receive(connection.client.takeOutput())
    connection.server.receive([21, 3, 3, 0, 2, 2, 48])
    #expect(
      connection.server.handshake.failureText()
        == Self.text("268436504:SSL routines:OPENSSL_internal:TLSV1_ALERT_UNKNOWN_CA"))
    #expect(TLSFailureText.received(.init(rawValue: 48)) == connection.server.handshake.failureText())
  }

  @Test func theSocketFailed() {
    #expect(
      TLSFailureText.system(errno: 104, text: "Connection reset by peer")
        == "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end")
  }

  @Test func alertsInPlainWords() {
    #expect(TLSFailureText.alertWords(.init(rawValue: 48)) == "the peer refused with the alert 'unknown ca'")
    #expect(TLSFailureText.alertWords(.init(rawValue: 199)) == "the peer refused with the alert '199'")
  }

  @Test func textsHaveALimit() {
    let long = TLSFailureText.system(errno: 1, text: String(repeating: "ä", count: 600))
    #expect(long.utf8.count <= TLSFailureText.bytesMax)
    #expect(long.hasSuffix(":TLS_error_end"))
    #expect(TLSFailureText.queue([]) == "")
  }

  @Test func everyRuleOfRecordsHasWords() {
    for alert in [TLSAlert.badRecordMAC, .recordOverflow, .decodeError, .protocolVersion, .unexpectedMessage] {
      #expect(TLSFailureText.broken(alert).hasPrefix("TLS_error:|268435"), "\(TLSFailureText.broken(alert))")
    }
    #expect(TLSFailureText.received(.init(rawValue: 199)).contains("TLSV1_ALERT_199"))
  }
}
