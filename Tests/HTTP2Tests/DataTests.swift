import HTTP2
import HTTP2Harness
import Testing

@Suite struct DataTests {
  private func server(
    _ settings: [(UInt16, UInt32)] = [], streams: Int = 1, _ options: HTTP2Options = HTTP2Options()
  ) -> SessionRecorder {
    let server = SessionRecorder(server: options)
    server.feed(Wire.preface + Wire.settings(settings))
    for i in 0..<streams {
      server.feed(Wire.headers(UInt32(1 + 2 * i), HeaderBlock.request(), ends: true))
    }
    server.drain()
    return server
  }

  private func data(_ recorder: SessionRecorder) -> [String] {
    recorder.frames.filter { $0.contains("DATA") }
  }

  private func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) } }

  @Test func padding() {
    for (size, pad) in [(0, 0), (0, 5), (3, 0), (3, 255)] {
      let outcome = served(
        Wire.headers(1, HeaderBlock.request("POST")) + Wire.data(1, bytes(size), ends: true, padding: pad))
      #expect(outcome.events.last == "1 data \(size) END")
    }
  }

  // MARK: Sending

  /// An owner that leaves with bytes unsent takes them along: their frame must not go out without them.
  @Test(arguments: [false, true]) func leavingWithUnsentBytes(ends: Bool) {
    let client = SessionRecorder(client: HTTP2Options())
    client.feed(Wire.settings())
    client.drain()
    let id = client.request("POST", ends: false) ?? 0
    client.drain()
    client.offer(id, bytes(100), ends: ends)
    client.release(id)
    client.drain()
    #expect(data(client) == [])
    #expect(client.frames.last == "\(id) RST 8")
  }

  @Test func leavingWithEverythingSent() {
    let client = SessionRecorder(client: HTTP2Options())
    client.feed(Wire.settings())
    let id = client.request("POST", ends: false) ?? 0
    client.offer(id, bytes(100), ends: true)
    client.drain()
    client.release(id)
    client.drain()
    #expect(client.frames.last == "\(id) DATA 100 END")
  }

  @Test func piecesOfABody() {
    let server = server()
    let body = bytes(40_000)
    server.respond(1, 200, ends: false)
    server.offer(1, Array(body[..<100]), ends: false)
    server.drain()
    #expect(data(server) == ["1 DATA 100"])
    #expect(!server.session.pointee.wantsOutput)
    server.offer(1, Array(body[100...]), ends: false)
    server.drain()
    #expect(data(server) == ["1 DATA 100", "1 DATA 16384", "1 DATA 16384", "1 DATA 7132"])
    server.offer(1, [], ends: true)
    server.drain()
    #expect(data(server).last == "1 DATA 0 END")
    #expect(server.exchanges[1]?.hasEnded == true)
    #expect(server.reader.bodies[1] == body)
    #expect(server.memory.streamCount == 0)
  }

  @Test(arguments: [0, 5, 20_000])
  func trailers(size: Int) {
    let server = server()
    server.respond(1, 200, ends: false)
    server.offer(1, bytes(size), ends: true, trailers: [("grpc-status", "0"), ("connection", "x")])
    server.drain()
    // No empty DATA before them.
    #expect(data(server).allSatisfy { !$0.hasSuffix(" 0") && !$0.hasSuffix("END") })
    #expect(server.frames.last == "1 HEADERS END [grpc-status: 0]")
    #expect(server.exchanges[1]?.hasEnded == true)
  }

  @Test func emptyTrailers() {
    let server = server()
    server.respond(1, 200, ends: false)
    server.offer(1, [1], ends: true, trailers: [("connection", "x")])
    server.drain()
    #expect(server.frames.last == "1 DATA 1 END")
  }

  @Test func trailersAfterTheBodyWentOut() {
    let server = server()
    server.respond(1, 200, ends: false)
    server.offer(1, [1], ends: false)
    server.drain()
    server.offer(1, [], ends: true, trailers: [("a", "b")])
    server.drain()
    #expect(server.frames.suffix(2) == ["1 DATA 1", "1 HEADERS END [a: b]"])
  }

  /// The zero window, its opening, and windows that become negative (RFC 9113 section 6.9.2).
  @Test func streamWindows() {
    let server = server([(4, 0)])
    server.respond(1, 200, ends: false)
    server.offer(1, bytes(100), ends: true)
    server.drain()
    #expect(data(server).isEmpty)
    #expect(!server.session.pointee.wantsOutput)
    server.feed(Wire.windowUpdate(1, 10))
    #expect(server.session.pointee.wantsOutput)
    server.drain()
    #expect(data(server) == ["1 DATA 10"])
    server.feed(Wire.settings([(4, 20)]))
    server.drain()
    #expect(data(server) == ["1 DATA 10", "1 DATA 20"])
    server.feed(Wire.settings([(4, 5)]))  // now -15 are left
    server.feed(Wire.windowUpdate(1, 15))
    server.drain()
    #expect(data(server).count == 2)
    server.feed(Wire.windowUpdate(1, 70))
    server.drain()
    #expect(data(server) == ["1 DATA 10", "1 DATA 20", "1 DATA 70 END"])
  }

  @Test func connectionWindow() {
    let server = server(streams: 2)
    for id in [1, 3] as [Int32] {
      server.respond(id, 200, ends: false)
      server.offer(id, bytes(50_000), ends: true)
    }
    server.drain()
    #expect(server.reader.bodies.values.reduce(0) { $0 + $1.count } == 65_535)
    #expect(!server.session.pointee.wantsOutput)
    // Heads do not wait for windows.
    server.feed(Wire.headers(5, HeaderBlock.request(), ends: true))
    server.respond(5, 204)
    server.drain()
    #expect(server.frames.last == "5 HEADERS END [:status: 204]")
    server.feed(Wire.windowUpdate(0, 100_000))
    server.drain()
    #expect(server.reader.bodies[1] == bytes(50_000) && server.reader.bodies[3] == bytes(50_000))
  }

  @Test func peersFrameSize() {
    let server = server([(5, 100_000), (4, 100_000)])
    server.respond(1, 200, ends: false)
    server.offer(1, bytes(40_000), ends: true)
    server.drain()
    // More than 16 KiB a frame is never needed.
    #expect(data(server).first == "1 DATA 16384")
  }

  /// Streams take turns, frame by frame, also when there is room for one frame at a time.
  @Test(arguments: [Int.max, 16_384])
  func rotation(room: Int) {
    let server = server([(4, 1_000_000)], streams: 4)
    server.feed(Wire.windowUpdate(0, 1_000_000))
    for id in [1, 3, 5, 7] as [Int32] {
      server.respond(id, 200, ends: false)
      server.offer(id, bytes(4 * 16_384), ends: true)
    }
    for _ in 0..<20 { server.drain(room: room) }
    let order = data(server).compactMap { Int($0.split(separator: " ")[0]) }
    #expect(order.count == 16)
    for turn in 0..<4 { #expect(Set(order[4 * turn..<4 * turn + 4]) == [1, 3, 5, 7]) }
  }

  @Test func rotationOfUploads() {
    let client = SessionRecorder(client: HTTP2Options())
    client.feed(Wire.settings([(4, 1_000_000)]) + Wire.windowUpdate(0, 1_000_000))
    for _ in 0..<4 {
      guard let id = client.request("POST", ends: false) else { continue }
      client.offer(id, bytes(4 * 16_384), ends: true)
    }
    client.drain()
    let order = data(client).compactMap { Int($0.split(separator: " ")[0]) }
    #expect(order.count == 16)
    for turn in 0..<4 { #expect(Set(order[4 * turn..<4 * turn + 4]) == [1, 3, 5, 7]) }
  }

  /// Without room for DATA everything else still goes out.
  @Test func noRoom() {
    let server = server(streams: 2)
    server.respond(1, 200, ends: false)
    server.offer(1, [1], ends: true)
    server.respond(3, 200)
    server.feed(Wire.ping())
    server.drain(room: 0)
    #expect(
      server.frames.suffix(3) == [
        "PING ACK 0 0", "1 HEADERS [:status: 200]", "3 HEADERS END [:status: 200]",
      ])
    #expect(server.session.pointee.wantsOutput)
    server.drain(room: 1)
    #expect(server.frames.last == "1 DATA 1 END")
  }

  @Test func resetDropsWhatWaits() {
    let server = server([(4, 10)])
    server.respond(1, 200, ends: false)
    server.offer(1, bytes(100), ends: true)
    server.drain()
    server.reset(1, .internalError)
    server.feed(Wire.windowUpdate(0, 1000))
    server.drain()
    #expect(data(server) == ["1 DATA 10"])
    #expect(server.frames.last == "1 RST 2")
    #expect(server.memory.streamCount == 0)
  }

  @Test func peersResetWhileWeSend() {
    let server = server([(4, 10)])
    server.respond(1, 200, ends: false)
    server.offer(1, bytes(100), ends: true)
    server.drain()
    server.feed(Wire.reset(1, 5) + Wire.windowUpdate(0, 1000))
    #expect(server.events.last == "1 reset 5 by peer")
    server.drain()
    #expect(data(server) == ["1 DATA 10"])
    #expect(server.memory.streamCount == 0)
  }

  /// An answer before the request's end: END_STREAM, then RST_STREAM with NO_ERROR.
  @Test func earlyAnswer() {
    let server = SessionRecorder()
    server.feed(Wire.clientStart + Wire.headers(1, HeaderBlock.request("POST")) + Wire.data(1, [1]))
    server.respond(1, 413, ends: false)
    server.offer(1, [1, 2], ends: true)
    server.drain()
    #expect(server.exchanges[1]?.hasEnded == true)
    server.reset(1, .noError)
    server.drain()
    #expect(
      server.frames.suffix(3) == ["1 HEADERS [:status: 413]", "1 DATA 2 END", "1 RST 0"])
    #expect(server.memory.streamCount == 0)
  }

  // MARK: Receiving

  @Test func windowsAreGivenBack() {
    var options = HTTP2Options()
    options.initialStreamWindow = 100_000
    options.initialConnectionWindow = 200_000
    let server = SessionRecorder(server: options)
    server.consumesData = false
    // Our windows count from the client's acknowledgement on.
    server.drain()
    server.feed(Wire.clientStart + Wire.settingsAck + Wire.headers(1, HeaderBlock.request("POST")))
    for _ in 0..<6 { server.feed(Wire.data(1, bytes(16_384))) }
    server.drain()
    #expect(!server.frames.contains { $0.hasPrefix("1 WINDOW") })
    guard let stream = server.exchanges[1]?.stream else { return }
    #expect(stream.pointee.unconsumedBytes == 6 * 16_384)
    // The window is full: more is the client's fault, on the stream alone.
    server.feed(Wire.data(1, bytes(2000)))
    server.drain()
    #expect(server.events.last == "1 closed 3")
    #expect(server.frames.contains("1 RST 3"))
  }

  @Test func consume() {
    var options = HTTP2Options()
    options.initialStreamWindow = 100_000
    options.initialConnectionWindow = 100_000
    let server = SessionRecorder(server: options)
    server.consumesData = false
    // Our windows count from the client's acknowledgement on.
    server.drain()
    server.feed(Wire.clientStart + Wire.settingsAck + Wire.headers(1, HeaderBlock.request("POST")))
    for _ in 0..<6 { server.feed(Wire.data(1, bytes(16_384))) }
    guard let stream = server.exchanges[1]?.stream else { return }
    server.session.pointee.consume(stream, 60_000)
    server.drain()
    #expect(server.frames.contains("1 WINDOW +60000"))
    #expect(server.frames.contains("0 WINDOW +60000"))
    // Never more than came.
    server.session.pointee.consume(stream, 1_000_000)
    #expect(stream.pointee.unconsumedBytes == 0)
    // What the owner kept goes back to the connection when it leaves.
    for _ in 0..<3 { server.feed(Wire.data(1, bytes(16_384))) }
    server.reset(1)
    server.drain()
    let given = server.frames.filter { $0.hasPrefix("0 WINDOW +") }
    #expect(given == ["0 WINDOW +34465", "0 WINDOW +60000", "0 WINDOW +\(9 * 16_384 - 60_000)"])
  }

  /// DATA for streams that are gone counts against nobody.
  @Test func ignoredDataIsGivenBack() {
    var options = HTTP2Options()
    options.initialConnectionWindow = 65_535
    let server = SessionRecorder(server: options)
    server.feed(Wire.clientStart + Wire.headers(1, HeaderBlock.request("POST")))
    server.reset(1)
    for _ in 0..<20 {
      server.feed(Wire.data(1, bytes(16_000), padding: 200))
      server.drain()
    }
    #expect(!server.hasFailed)
    #expect(server.frames.contains { $0.hasPrefix("0 WINDOW") })
  }

  @Test func connectionWindowOverflows() {
    var options = HTTP2Options()
    options.initialConnectionWindow = 65_535
    let server = SessionRecorder(server: options)
    server.consumesData = false
    server.feed(Wire.clientStart)
    for id in [1, 3] as [UInt32] {
      server.feed(Wire.headers(id, HeaderBlock.request("POST")))
      for _ in 0..<2 { server.feed(Wire.data(id, bytes(16_384))) }
    }
    #expect(server.failure?.reason == .protocolViolation)
    server.drain()
    #expect(server.frames.last?.hasPrefix("GOAWAY 3 3") == true, "\(server.frames)")
  }
}
