import HTTP2
import HTTP2Harness
import Testing

@Suite struct ShutdownTests {
  @Test func inTwoSteps() {
    let server = SessionRecorder()
    server.answers = true
    server.feed(Wire.clientStart + Wire.headers(1, HeaderBlock.request("POST")))
    server.session.pointee.announceShutdown()
    server.drain()
    #expect(server.frames.last == "GOAWAY 2147483647 0")
    // On its way when the client heard of it.
    server.feed(Wire.headers(3, HeaderBlock.request("POST")))
    server.session.pointee.shutDown(.noError, "")
    server.drain()
    #expect(server.frames.last == "GOAWAY 3 0")
    // Too late: ignored.
    server.feed(Wire.headers(5, HeaderBlock.request(), ends: true))
    #expect(server.events.filter { $0.contains("head") }.count == 2)
    server.feed(Wire.data(1, [1], ends: true) + Wire.data(3, [], ends: true))
    server.drain()
    #expect(server.session.pointee.activeCount == 0)
    #expect(!server.hasFailed)
    #expect(server.memory.streamCount == 0)
    #expect(!server.session.pointee.wantsOutput)
  }

  @Test func withAnError() {
    let server = SessionRecorder()
    server.feed(Wire.clientStart + Wire.headers(1, HeaderBlock.request()))
    server.respond(1, 200, ends: false)
    server.offer(1, [1], ends: false)
    server.session.pointee.shutDown(.enhanceYourCalm, "why")
    server.drain()
    #expect(server.frames.last == "GOAWAY 1 11 why")
    #expect(server.sendFailure?.code == .enhanceYourCalm)
    #expect(!server.session.pointee.wantsOutput)
    // It stays that way, and nothing reaches the library.
    server.feed(Wire.ping() + [1, 2, 3])
    server.drain()
    #expect(server.frames.last == "GOAWAY 1 11 why")
    #expect(server.events.count == 3, "\(server.events)")
  }

  @Test func clientsGoAway() {
    let server = SessionRecorder()
    server.answers = true
    server.feed(
      Wire.clientStart + Wire.headers(1, HeaderBlock.request("POST")) + Wire.goAway(last: 0, 0, "bye"))
    server.feed(Wire.data(1, [1], ends: true))
    server.drain()
    #expect(server.events.contains("goaway 0 0"))
    #expect(server.frames.suffix(2) == ["1 HEADERS [:status: 200]", "1 DATA 1 END"])
    #expect(server.session.pointee.activeCount == 0)
  }

  @Test func clientShutsDown() {
    let client = SessionRecorder(client: HTTP2Options())
    client.request()
    client.drain()
    client.session.pointee.announceShutdown()
    client.session.pointee.shutDown(.noError, "")
    client.drain()
    #expect(client.frames.last == "GOAWAY 0 0")
    client.feed(Wire.settings() + Wire.headers(1, HeaderBlock.response(), ends: true))
    #expect(client.events.last == "1 head 200 END [:status: 200]")
  }

  /// Freed in the middle of everything.
  @Test func freedAtAnyTime() {
    let bytes =
      Wire.clientStart + Wire.headers(1, HeaderBlock.request("POST")) + Wire.data(1, [1, 2, 3])
      + Wire.headers(3, Array(HeaderBlock.request().prefix(9)), isWhole: false)
    for end in 0...bytes.count {
      let server = SessionRecorder()
      server.feed(Array(bytes.prefix(end)))
      if server.exchanges[1] != nil {
        server.respond(1, 200, ends: false)
        server.offer(1, [1, 2, 3], ends: true, trailers: [("a", "b")])
      }
      if end.isMultiple(of: 2) { server.drain(room: end.isMultiple(of: 4) ? 0 : 9) }
    }
  }
}
