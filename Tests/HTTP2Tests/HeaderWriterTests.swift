import HTTP2
import HTTP2Harness
import HTTPCore
import Testing

@Suite struct HeaderWriterTests {
  private func answer(_ fields: [(String, String)]) -> String {
    let server = SessionRecorder()
    server.feed(Wire.clientStart + Wire.headers(1, HeaderBlock.request(), ends: true))
    server.respond(1, 200, fields)
    server.drain()
    return server.frames.last ?? ""
  }

  private func ask(
    _ method: String, _ fields: [(String, String)], _ pseudo: [(String, String)], connectProtocol: StaticString? = nil
  ) -> String {
    let client = SessionRecorder(client: HTTP2Options())
    client.request(method, fields, pseudo: pseudo, connectProtocol: connectProtocol)
    client.drain()
    return client.frames.last ?? ""
  }

  /// RFC 9113 section 8.2.2.
  @Test func fieldsOfAConnectionStayBehind() {
    #expect(
      answer([
        ("a", "1"), ("connection", "x"), ("keep-alive", "x"), ("proxy-connection", "x"),
        ("transfer-encoding", "chunked"), ("upgrade", "x"), ("host", "x"), ("te", "trailers"),
        (":path", "/"), ("b", "2"),
      ]) == "1 HEADERS END [:status: 200, a: 1, b: 2]")
    let pseudo = [(":path", "/p"), (":authority", "h"), (":scheme", "https")]
    #expect(
      ask("GET", [("te", "Trailers"), ("host", "x"), ("http2-settings", "x"), ("a", "1")], pseudo)
        == "1 HEADERS END [:method: GET, :scheme: https, :authority: h, :path: /p, te: Trailers, a: 1]")
    #expect(
      ask("GET", [("te", "gzip")], pseudo)
        == "1 HEADERS END [:method: GET, :scheme: https, :authority: h, :path: /p]")
  }

  @Test func pseudoHeaders() {
    #expect(
      ask("CONNECT", [], [(":authority", "h:1"), (":path", "/"), (":scheme", "http")])
        == "1 HEADERS END [:method: CONNECT, :authority: h:1]")
    #expect(
      ask(
        "CONNECT", [],
        [(":authority", "h"), (":path", "/"), (":scheme", "http"), (":protocol", "websocket")])
        == "1 HEADERS END [:method: CONNECT, :scheme: http, :authority: h, :path: /, :protocol: websocket]")
    #expect(
      ask(
        "GET", [("upgrade", "x"), ("a", "1")], [(":authority", "h"), (":path", "/"), (":scheme", "http")],
        connectProtocol: "websocket")
        == "1 HEADERS END [:method: CONNECT, :scheme: http, :authority: h, :path: /, :protocol: websocket, a: 1]")
    #expect(
      ask("GET", [("x-forwarded-proto", "https")], [(":authority", "h"), (":path", "/")])
        == "1 HEADERS END [:method: GET, :scheme: https, :authority: h, :path: /, x-forwarded-proto: https]")
  }

  /// Values that do not come again stay out of the peer's table.
  @Test func uniqueValues() {
    #expect(
      answer([("x-request-id", "1"), ("grpc-message", "2"), ("x-envoy-upstream-service-time", "3")])
        == "1 HEADERS END [:status: 200, !x-request-id: 1, !grpc-message: 2, !x-envoy-upstream-service-time: 3]")
  }

  @Test func longHeads() {
    let server = SessionRecorder()
    server.feed(Wire.clientStart + Wire.headers(1, HeaderBlock.request(), ends: true))
    #expect(!server.respond(1, 200, [("x", String(repeating: "y", count: 65_600))]))
    #expect(server.respond(1, 200, [("x", String(repeating: "y", count: 40_000))]))
    server.drain()
    #expect(server.frames.last?.count ?? 0 > 40_000)
    let client = SessionRecorder(client: HTTP2Options())
    #expect(client.request("GET", [("x", String(repeating: "y", count: 65_600))]) == nil)
    #expect(client.session.pointee.activeCount == 0)
  }

  /// What one of our sessions writes, another reads as it was.
  @Test func roundTrip() {
    let fields = (0..<60).map { ("x-\($0 % 7)", String(repeating: "v", count: $0 * 3)) }
    let client = SessionRecorder(client: HTTP2Options())
    let server = SessionRecorder()
    for _ in 0..<3 { client.request("POST", fields) }
    client.drain()
    server.feed(client.takeSent())
    let list = fields.map { "\($0.0): \($0.1)" }.joined(separator: ", ")
    for (i, id) in [1, 3, 5].enumerated() {
      #expect(
        server.events[1 + i]
          == "\(id) head END [:method: POST, :scheme: http, :authority: a, :path: /, \(list)]")
    }
  }

  @Test func interimHeads() {
    let server = SessionRecorder()
    server.feed(Wire.clientStart + Wire.headers(1, HeaderBlock.request("POST")))
    server.interim(1, 100)
    server.interim(1, 103, [("link", "x")])
    server.respond(1, 200, ends: false)
    server.offer(1, [1], ends: true)
    server.drain()
    #expect(
      server.frames.suffix(4) == [
        "1 HEADERS [:status: 100]", "1 HEADERS [:status: 103, link: x]", "1 HEADERS [:status: 200]",
        "1 DATA 1 END",
      ])
  }
}
