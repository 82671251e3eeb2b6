import HTTP2
import HTTP2Harness
import Primitives
import Testing

@Suite struct MemoryTests {
  @Test func layout() {
    #expect(MemoryLayout<HTTP2Stream>.size <= 128)
    #expect(MemoryLayout<HTTP2Session>.size <= 1024)
  }

  @Test func anIdleSession() {
    let arenas = ArenaPool()
    let memory = HTTP2Memory(arenas: arenas)
    for isServer in [true, false] {
      let recorder =
        isServer
        ? SessionRecorder(server: HTTP2Options(), memory: memory)
        : SessionRecorder(client: HTTP2Options(), memory: memory)
      recorder.drain()
      #expect(memory.bytesHeld <= 9_600, "\(memory.bytesHeld)")
      #expect(memory.sessionCount == 1)
    }
    #expect(memory.bytesHeld == 0 && memory.sessionCount == 0)
    #expect(arenas.lentCount == 0)
  }

  /// From the hundredth request on nothing comes from the system.
  @Test func steadyState() {
    let memory = HTTP2Memory(arenas: ArenaPool())
    let server = SessionRecorder(server: HTTP2Options(), memory: memory)
    let client = SessionRecorder(client: HTTP2Options(), memory: memory)
    server.answers = true
    var before = 0
    for turn in 0..<300 {
      if turn == 100 { before = memory.systemAllocations }
      guard let id = client.request("POST", [("x", "\(turn % 10)"), ("user-agent", "y")], ends: false) else {
        Issue.record("no stream")
        return
      }
      client.offer(id, [1, 2, 3], ends: true)
      client.drain()
      server.feed(client.takeSent())
      server.drain()
      client.feed(server.takeSent())
      client.release(id)
    }
    #expect(memory.systemAllocations == before)
    #expect(memory.streamCount == 0)
    #expect(client.events.last?.hasSuffix("data 3 END") == true)
  }

  /// Many sessions pack their frames in one buffer: what each sends is what it sends alone.
  @Test func sharedFrameBuffer() {
    func script(_ server: SessionRecorder, _ step: Int, _ n: Int) {
      switch step {
      case 0: server.feed(Wire.clientStart + Wire.headers(1, HeaderBlock.request("POST")))
      case 1:
        // Longer than a frame: CONTINUATION.
        server.respond(
          1, 200, [("x", String(repeating: "\(n)", count: 20_000 + n))], ends: false)
        server.offer(1, Array(repeating: UInt8(truncatingIfNeeded: n), count: 30_000), ends: false)
      case 2: server.feed(Wire.ping(UInt8(truncatingIfNeeded: n)) + Wire.data(1, [1, 2], ends: true))
      case 3: server.offer(1, [UInt8(truncatingIfNeeded: n)], ends: true, trailers: [("n", "\(n)")])
      default: server.feed(Wire.windowUpdate(0, 100_000) + Wire.windowUpdate(1, 100_000))
      }
      server.drain(room: step == 1 ? 16_384 : .max)
    }
    let memory = HTTP2Memory(arenas: ArenaPool())
    let servers = (0..<50).map { _ in SessionRecorder(server: HTTP2Options(), memory: memory) }
    for step in 0..<5 { for (n, server) in servers.enumerated() { script(server, step, n) } }
    for (n, server) in servers.enumerated() {
      let alone = SessionRecorder()
      for step in 0..<5 { script(alone, step, n) }
      #expect(server.sentBytes == alone.sentBytes)
    }
  }

  @Test func preface() {
    #expect(HTTP2Preface.match(ByteView("")) == .partial)
    #expect(HTTP2Preface.match(ByteView("P")) == .partial)
    #expect(HTTP2Preface.match(ByteView("PO")) == .no)
    #expect(HTTP2Preface.match(HTTP2Preface.bytes) == .yes)
    #expect(HTTP2Preface.match(ByteView("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nx")) == .yes)
  }

  @Test func libraryVersion() {
    #expect(HTTP2Memory.libraryVersion >= HTTP2Memory.libraryVersionMin)
  }
}
