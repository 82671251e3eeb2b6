import HTTP2
import HTTP2Harness
import Testing

/// Each budget at its limit and one above it; what may come for streams that are over.
@Suite struct FrameGateTests {
  private let request = HeaderBlock.request()

  private func repeated(_ count: Int, _ frame: [UInt8]) -> [UInt8] {
    Array((0..<count).map { _ in frame }.joined())
  }

  /// `count` of a frame are let through, one more is not.
  private func expectLimit(
    _ count: Int, _ frame: [UInt8], _ reason: HTTP2Error.Reason, after start: [UInt8] = [],
    _ options: HTTP2Options = .lenient, at location: SourceLocation = #_sourceLocation
  ) {
    let within = served(start + repeated(count, frame), options, at: location)
    #expect(
      !within.events.contains { $0.hasPrefix("failed") }, "\(within)", sourceLocation: location)
    let beyond = served(start + repeated(count + 1, frame) + Wire.ping(), options, at: location)
    #expect(
      beyond.events.last == "failed \(reason) 11", "\(beyond)", sourceLocation: location)
    #expect(
      beyond.frames.last?.hasPrefix("GOAWAY ") == true && beyond.frames.last?.contains(" 11 http2.") == true,
      "\(beyond)", sourceLocation: location)
  }

  @Test(arguments: [1, 3])
  func emptyFrames(limit: Int) {
    var options = HTTP2Options.lenient
    options.budgets.emptyFramesMax = UInt32(limit)
    let head = Wire.headers(1, HeaderBlock.request("POST"))
    expectLimit(limit, Wire.data(1, []), .emptyFramesFlood, after: head, options)
    // Padding is no payload.
    expectLimit(limit, Wire.data(1, [], padding: 9), .emptyFramesFlood, after: head, options)
    expectLimit(limit, Wire.data(1, [], padding: 0), .emptyFramesFlood, after: head, options)
    let open = Wire.headers(1, request, ends: true, isWhole: false)
    expectLimit(
      limit, Wire.continuation(1, [], isWhole: false), .emptyFramesFlood, after: open, options)
    // Payload between them starts the count anew; END_STREAM is no empty frame.
    let pairs = repeated(9, repeated(limit, Wire.data(1, [])) + Wire.data(1, [1]))
    let outcome = served(
      head + pairs + repeated(limit, Wire.data(1, [])) + Wire.data(1, [], ends: true), options)
    #expect(outcome.events.last == "1 data 9 END")
  }

  @Test func priorities() {
    var options = HTTP2Options.lenient
    options.budgets.priorityFramesPerStream = 4
    expectLimit(4, Wire.priority(5), .priorityFramesFlood, options)
    expectLimit(
      8, Wire.priority(5), .priorityFramesFlood, after: Wire.headers(1, request, ends: true),
      options)
    expectLimit(
      4, Wire.frame(16, Wire.big(1) + [117]), .priorityFramesFlood, options)
  }

  @Test func windowUpdates() {
    let options = HTTP2Options.lenient
    expectLimit(5, Wire.windowUpdate(0, 1), .windowUpdateFramesFlood, options)
    expectLimit(
      7, Wire.windowUpdate(1, 1), .windowUpdateFramesFlood,
      after: Wire.headers(1, request, ends: true), options)
    // Ten for each DATA frame sent, twice.
    let server = SessionRecorder()
    server.answers = true
    server.feed(
      Wire.clientStart + Wire.headers(1, HeaderBlock.request("POST")) + Wire.data(1, [1], ends: true))
    server.drain()
    server.feed(repeated(27, Wire.windowUpdate(0, 1)))
    #expect(!server.hasFailed)
    server.feed(Wire.windowUpdate(0, 1))
    #expect(server.failure?.reason == .windowUpdateFramesFlood)
  }

  @Test func resets() {
    var options = HTTP2Options.lenient
    options.budgets.resetBurst = 3
    options.budgets.resetsPerSecond = 2
    func pair(_ id: UInt32) -> [UInt8] {
      Wire.headers(id, request, ends: true) + Wire.reset(id)
    }
    let three = pair(1) + pair(3) + pair(5)
    #expect(!served(three, options).events.contains { $0.hasPrefix("failed") })
    #expect(served(three + pair(7), options).events.last == "failed resetFramesFlood 11")
    // A stream error that the peer makes us answer costs the same.
    let bad = (0..<4).map {
      Wire.headers(UInt32(1 + 2 * $0), HeaderBlock.request(":"), ends: true)
    }
    #expect(
      !served(Array(bad.prefix(3).joined()), options).events.contains { $0.hasPrefix("failed") })
    #expect(served(Array(bad.joined()), options).events.last == "failed resetFramesFlood 11")

    // Tokens come back with time.
    let server = SessionRecorder(server: options)
    server.feed(Wire.clientStart + three)
    server.now += 500_000_000
    server.feed(pair(7))
    #expect(!server.hasFailed)
    server.feed(pair(9))
    #expect(server.failure?.reason == .resetFramesFlood)

    options.budgets.resetBurst = 0
    let many = Array((0..<2000).map { pair(UInt32(1 + 2 * $0)) }.joined())
    let unlimited = SessionRecorder(server: options)
    unlimited.feed(Wire.clientStart + many)
    #expect(!unlimited.hasFailed)
  }

  @Test func controlFrames() {
    var options = HTTP2Options.lenient
    // The client's first SETTINGS take one.
    options.budgets.controlBurst = 4
    expectLimit(3, Wire.ping(), .controlFramesFlood, options)
    expectLimit(3, Wire.ping(isAnswer: true), .controlFramesFlood, options)
    expectLimit(3, Wire.settings(), .controlFramesFlood, options)
    expectLimit(3, Wire.frame(99, [1, 2, 3]), .controlFramesFlood, options)
    // With streams open SETTINGS cost more: 2 for sixteen.
    let streams = Array(
      (0..<16).map { Wire.headers(UInt32(1 + 2 * $0), request, ends: true) }.joined())
    expectLimit(1, Wire.settings(), .controlFramesFlood, after: streams, options)
  }

  @Test func continuations() {
    var options = HTTP2Options.lenient
    options.budgets.continuationsMax = 5
    let start = Wire.headers(1, [], ends: true, isWhole: false)
    expectLimit(
      5, Wire.continuation(1, HeaderBlock.literal([("a", "b")]), isWhole: false),
      .continuationFramesFlood, after: start, options)
    // Each block counts for itself.
    let blocks = (0..<9).map { i in
      let id = UInt32(1 + 2 * i)
      return Wire.headers(id, Array(request.prefix(3)), ends: true, isWhole: false)
        + Array(request.dropFirst(3).prefix(4).flatMap { Wire.continuation(id, [$0], isWhole: false) })
        + Wire.continuation(id, Array(request.dropFirst(7)))
    }
    let outcome = served(Array(blocks.joined()), options)
    #expect(outcome.events.count == 10, "\(outcome)")
  }

  @Test func headerBlockBytes() {
    var options = HTTP2Options.lenient
    options.headBytesMax = 100  // wire bytes: 200 + 16 KiB
    let chunk = [UInt8](repeating: 0x80 | 2, count: 5530)  // :method GET, again and again
    let start = Wire.headers(1, chunk, ends: true, isWhole: false)
    options.fieldCountMax = 10_000
    expectLimit(
      1, Wire.continuation(1, chunk, isWhole: false), .headerBlockFlood,
      after: start + Wire.continuation(1, [0x82], isWhole: false), options)
  }

  /// One byte a field: many more fields than any limit can have meant.
  @Test func headerBomb() {
    var options = HTTP2Options.lenient
    options.fieldCountMax = 50
    let fill = HeaderBlock.request(more: [])
      + HeaderBlock.indexed([("x", String(repeating: "v", count: 1000))])
    let within = served(
      Wire.headers(1, fill + Array(repeating: HeaderBlock.newest, count: 195), ends: true), options)
    #expect(within.events.last == "1 too large tooManyFields 50")
    let beyond = served(
      Wire.headers(1, fill + Array(repeating: HeaderBlock.newest, count: 196), ends: true), options)
    #expect(beyond.events.last == "failed headerBlockFlood 11")
  }

  // MARK: Streams that are over

  @Test func smallerIDs() {
    let start = Wire.headers(5, request, ends: true)
    for id in [1, 3] as [UInt32] {
      #expect(
        served(start + Wire.headers(id, request, ends: true)).events.last
          == "failed protocolViolation 1")
      #expect(served(start + Wire.data(id, [1])).events.last == "failed protocolViolation 1")
    }
  }

  /// After its own END_STREAM and our answer, a client may send nothing for the stream.
  @Test func closedByBoth() {
    for frame in [Wire.headers(1, request, ends: true), Wire.data(1, [1]), Wire.data(1, [], ends: true)] {
      let server = SessionRecorder()
      server.answers = true
      server.feed(Wire.clientStart + Wire.headers(1, request, ends: true))
      server.drain()
      #expect(server.session.pointee.activeCount == 0)
      server.feed(Wire.windowUpdate(1, 5) + Wire.priority(1) + Wire.reset(1))
      #expect(!server.hasFailed)
      server.feed(frame)
      #expect(server.failure?.reason == .streamClosed)
      server.drain()
      #expect(server.frames.last == "GOAWAY 1 5 http2.stream_closed")
    }
  }

  @Test func afterTheClientsReset() {
    for frame in [Wire.headers(1, request, ends: true), Wire.data(1, [1])] {
      let outcome = served(Wire.headers(1, HeaderBlock.request("POST")) + Wire.reset(1) + frame)
      #expect(
        outcome.events.suffix(2) == ["1 reset 8 by peer", "failed streamClosed 5"], "\(outcome)")
    }
  }

  /// What was on its way when we reset is ignored; its bytes go back to the connection's window.
  @Test func afterOurReset() {
    for code in [HTTP2Code.noError, .cancel] {
      let server = SessionRecorder()
      server.feed(Wire.clientStart + Wire.headers(1, HeaderBlock.request("POST")))
      server.respond(1, 200)
      server.drain()
      server.reset(1, code)
      server.feed(Wire.data(1, [1, 2]))
      server.drain()
      server.feed(Wire.data(1, [1, 2]) + Wire.data(1, [], ends: true))
      server.feed(Wire.headers(3, request, ends: true))
      #expect(server.events.last?.hasPrefix("3 head") == true)
      #expect(!server.hasFailed)
      #expect(server.session.pointee.activeCount == 1)
    }
  }

  /// Streams refused because there are too many: ignored, and not a violation to go on with.
  @Test func afterARefusal() {
    var options = HTTP2Options.lenient
    options.maxConcurrentStreams = 1
    let outcome = served(
      Wire.headers(1, HeaderBlock.request("POST")) + Wire.headers(3, HeaderBlock.request("POST"))
        + Wire.data(3, [1]) + Wire.data(1, [1], ends: true), options)
    #expect(outcome.events.last == "1 data 1 END")
    #expect(outcome.frames.contains("3 RST 7"))
    #expect(outcome.counters.streamsRefused == 1)
    // Once the client has acknowledged the limit it is a violation.
    let server = SessionRecorder(server: options)
    server.drain()
    server.feed(Wire.clientStart + Wire.settingsAck)
    server.feed(Wire.headers(1, request, ends: true) + Wire.headers(3, request, ends: true))
    #expect(server.failure?.reason == .protocolViolation)
  }

  @Test func windowEdge() {
    func start(_ last: UInt32) -> [UInt8] {
      Wire.headers(1, request, ends: true) + Wire.reset(1)
        + Wire.headers(last, request, ends: true)
    }
    // 512 ids: 1 and 1023 are the first and the last of them.
    #expect(served(start(1023) + Wire.data(1, [1])).events.last == "failed streamClosed 5")
    #expect(served(start(1025) + Wire.data(1, [1])).events.last?.hasPrefix("1025 head") == true)
    #expect(
      served(start(1025) + Wire.data(3, [1])).events.last == "failed protocolViolation 1")
    let far = served(start(0x7FFF_FFFF) + Wire.headers(1, request, ends: true))
    #expect(far.events.last?.hasPrefix("2147483647 head") == true)
  }

  @Test func priorityRules() {
    #expect(served(Wire.priority(0)).events.last == "failed protocolViolation 1")
    #expect(served(Wire.priority(3, on: 3)).events.last == "failed protocolViolation 1")
    #expect(served(Wire.frame(2, stream: 3, [0, 0, 0, 0])).events.last == "failed protocolViolation 6")
    #expect(served(Wire.priority(3, on: 1)).events == ["settings"])
  }
}
