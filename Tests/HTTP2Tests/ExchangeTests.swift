import HTTP2
import HTTP2Harness
import HTTPHarness
import Testing

@Suite struct ExchangeTests {
  @Test func aRequestAndItsAnswer() {
    let server = SessionRecorder()
    server.answers = true
    server.feed(Wire.clientStart + Wire.headers(1, HeaderBlock.request(), ends: true))
    server.drain()
    #expect(
      server.events == [
        "settings", "1 head END [:method: GET, :scheme: http, :path: /, :authority: a]",
      ])
    #expect(
      server.frames == [
        "SETTINGS [3=1024 4=16777216 6=64640 9=1]", "SETTINGS ACK", "0 WINDOW +25100289",
        "1 HEADERS END [:status: 200]",
      ])
  }

  /// Two sessions of ours, one on each side.
  @Test func clientAndServer() {
    let server = SessionRecorder()
    let client = SessionRecorder(client: HTTP2Options())
    server.answers = true
    let body = (0..<50_000).map { UInt8(truncatingIfNeeded: $0) }
    let id = client.request("POST", [("x-a", "1")], ends: false)
    client.offer(id ?? 0, body, ends: true, trailers: [("x-t", "2")])
    for _ in 0..<4 {
      client.drain()
      server.feed(client.takeSent())
      server.drain()
      client.feed(server.takeSent())
    }
    #expect(
      server.events == [
        "settings",
        "1 head [:method: POST, :scheme: http, :authority: a, :path: /, x-a: 1]", "1 data 50000",
        "1 trailers [x-t: 2]",
      ])
    #expect(client.events == ["settings", "1 head 200 [:status: 200]", "1 data 50000 END"])
    #expect(client.exchanges[1]?.received == body)
  }
}
