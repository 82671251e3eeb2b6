import HTTPCore
import LoadBase
import Primitives
import Reactor
import Testing

@testable import LoadGenerator

/// Renders requests as a worker does.
private struct Renderer {
  let segments: SegmentPool
  var random = FastRandom(seed: 1)

  init() throws { segments = try SegmentPool(kernel: LinuxKernel(entries: 8)) }

  mutating func text(_ plan: RequestPlan, sequences: [UInt64] = [0], closes: Bool = false) throws -> String {
    let compiled = CompiledRequest(try RequestLayout(plan, closes: closes))
    defer { compiled.deallocate() }
    var queue = SegmentQueue()
    for sequence in sequences {
      compiled.append(
        to: &queue, segments, isAlone: sequences.count == 1, sequence: sequence, &random)
    }
    var bytes: [UInt8] = []
    while let segment = queue.removeFirst() {
      bytes += ByteView(segment.pointee.base, segment.pointee.count).array
      segments.release(segment)
    }
    #expect(segments.lentCount == 0)
    return String(decoding: bytes, as: UTF8.self)
  }
}

@Suite struct RequestBytesTests {
  @Test func aPlainRequest() throws {
    var renderer = try Renderer()
    let plan = RequestPlan(authority: "a.example", path: "/x?y=1")
    #expect(try renderer.text(plan) == "GET /x?y=1 HTTP/1.1\r\nHost: a.example\r\n\r\n")
    #expect(
      try renderer.text(plan, closes: true)
        == "GET /x?y=1 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
  }

  @Test func headersAndBody() throws {
    var renderer = try Renderer()
    let plan = RequestPlan(
      method: "PUT", authority: "a", path: "/",
      headers: [try .init("host: other"), try .init("X-A:b"), try .init("X-Empty:")],
      body: .bytes(Array("hello".utf8)))
    #expect(
      try renderer.text(plan)
        == "PUT / HTTP/1.1\r\nhost: other\r\nX-A: b\r\nX-Empty: \r\nContent-Length: 5\r\n\r\nhello")
  }

  @Test func severalAtOnce() throws {
    var renderer = try Renderer()
    let plan = RequestPlan(authority: "a", path: "/{n}")
    let text = try renderer.text(plan, sequences: [4, 5, 123_456])
    #expect(
      text == ["4", "5", "123456"].map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
  }

  @Test(arguments: [0, 1, 1024, 1025, 100_000])
  func madeUpBodiesHaveTheirLength(size: Int) throws {
    var renderer = try Renderer()
    let text = try renderer.text(
      RequestPlan(method: "POST", authority: "a", path: "/", body: .size(size, size)))
    let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    #expect(parts[0].hasSuffix("Content-Length: \(size)"))
    #expect(parts[1].utf8.count == size)
  }

  @Test func randomBodiesStayInTheRange() throws {
    var renderer = try Renderer()
    var seen: Set<Int> = []
    for _ in 0..<300 {
      let text = try renderer.text(
        RequestPlan(method: "POST", authority: "a", path: "/", body: .size(3, 7)))
      let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
      #expect(parts[0].hasSuffix("Content-Length: \(parts[1].utf8.count)"))
      seen.insert(parts[1].utf8.count)
    }
    #expect(seen == [3, 4, 5, 6, 7])
  }
}

@Suite struct PathTemplateTests {
  @Test func places() throws {
    #expect(
      try PathTemplate("/a{n}b{{c}}/{rand:1-9}/{uuid}").pieces == [
        .literal(Array("/a".utf8)), .sequence, .literal(Array("b{c}/".utf8)), .random(1, 9),
        .literal(Array("/".utf8)), .uuid,
      ])
    #expect(try PathTemplate("/plain").isFixed)
    #expect(try !PathTemplate("/{n}").isFixed)
  }

  @Test func randomNumbersCoverTheirRange() throws {
    var renderer = try Renderer()
    var seen: Set<String> = []
    for _ in 0..<500 {
      let text = try renderer.text(RequestPlan(authority: "a", path: "/{rand:8-12}"))
      seen.insert(String(text.split(separator: " ")[1]))
    }
    #expect(seen == ["/8", "/9", "/10", "/11", "/12"])
  }

  @Test func identifiersAreVersion4() throws {
    var renderer = try Renderer()
    var seen: Set<String> = []
    for _ in 0..<200 {
      let text = try renderer.text(RequestPlan(authority: "a", path: "/{uuid}"))
      let uuid = String(text.split(separator: " ")[1].dropFirst())
      #expect(uuid.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
      seen.insert(uuid)
    }
    #expect(seen.count == 200)
  }

  @Test(arguments: [
    ("/{", "brace"), ("/}", "brace"), ("/{n", "brace"), ("/{x}", "{x}"), ("/{rand:5-1}", "{rand:5-1}"),
    ("/{rand:a-b}", "two numbers"), ("/a b", "%XX"), ("/é", "%XX"), ("/\r\n", "%XX"),
  ])
  func mistakes(text: String, said: String) {
    #expect { try PathTemplate(text) } throws: { "\($0)".contains(said) }
  }

  @Test(arguments: [
    (RequestPlan(method: "GE T", authority: "a", path: "/"), "--method"),
    (RequestPlan(method: "CONNECT", authority: "a", path: "/"), "tunnels"),
    (RequestPlan(authority: "a", path: "/", headers: [.init(name: "a b", value: "")]), "not a valid header"),
    (RequestPlan(authority: "a", path: "/", headers: [.init(name: "a", value: "x\r\ny")]), "not a valid header"),
    (RequestPlan(authority: "a", path: "/", headers: [.init(name: "Content-Length", value: "1")]), "--body"),
    (
      RequestPlan(authority: "a", path: "/", headers: [.init(name: "connection", value: "Close")]),
      "--new-connection-per-request"
    ),
  ])
  func whatCannotBeSent(plan: RequestPlan, said: String) {
    #expect { try RequestLayout(plan, closes: false) } throws: { "\($0)".contains(said) }
  }
}

@Suite struct WeightedChoiceTests {
  @Test func inProportion() {
    let choice = WeightedChoice([1, 0, 3, 6])
    var random = FastRandom(seed: 5)
    var counts = [0, 0, 0, 0]
    for _ in 0..<100_000 { counts[choice.draw(&random)] += 1 }
    #expect(counts[1] == 0)
    // Five standard deviations of each count.
    for (index, share) in [0.1, 0, 0.3, 0.6].enumerated() {
      #expect(abs(Double(counts[index]) - share * 100_000) <= 5 * (share * (1 - share) * 100_000).squareRoot())
    }
  }
}

@Suite struct EchoPatternTests {
  @Test func messagesDiffer() {
    let pattern = EchoPattern(messageBytes: 32)
    defer { pattern.deallocate() }
    var seen: Set<[UInt8]> = []
    for number in 0..<16_384 { seen.insert(pattern.message(pattern.start(UInt64(number))).array) }
    #expect(seen.count == 16_384)
  }
}

/// Renders heads of HTTP/2 as a worker does.
@Suite struct HTTP2RequestTests {
  private func head(
    _ plan: RequestPlan, sequence: UInt64 = 0, isGRPC: Bool = false
  ) throws -> [String] {
    let layout = try HTTP2RequestLayout(
      plan, checked: try RequestLayout(plan, closes: false), scheme: "https", isGRPC: isGRPC)
    let arenas = ArenaPool()
    let compiled = CompiledHTTP2Request(layout, arenas)
    let turn = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
    turn.initialize(to: Arena(pool: arenas))
    defer {
      compiled.deallocate()
      turn.pointee.reset()
      turn.deallocate()
    }
    var random = FastRandom(seed: 1)
    let bodyBytes = compiled.body.drawCount(&random)
    let map = compiled.head(turn, sequence: sequence, bodyBytes: bodyBytes, &random)
    return (0..<map.slotCount).map { "\(map[slot: $0].name.string): \(map[slot: $0].value.string)" }
  }

  @Test func fields() throws {
    let plan = RequestPlan(
      method: "PUT", authority: "a", path: "/x",
      headers: [try .init("Host: other"), try .init("X-A: b"), try .init("Connection: keep-alive"), try .init("TE: gzip")],
      body: .bytes([1, 2, 3]))
    #expect(
      try head(plan) == [
        ":method: PUT", ":scheme: https", ":authority: other", ":path: /x", "x-a: b", "content-length: 3",
      ])
  }

  @Test func whatChanges() throws {
    let plan = RequestPlan(method: "POST", authority: "a", path: "/{n}", body: .size(7, 7))
    #expect(try head(plan, sequence: 42).contains(":path: /42"))
    #expect(try head(plan).last == "content-length: 7")
  }

  @Test func calls() throws {
    let plan = RequestPlan(method: "POST", authority: "a", path: "/s/m", body: .size(7, 7))
    #expect(
      try head(plan, isGRPC: true) == [
        ":method: POST", ":scheme: https", ":authority: a", ":path: /s/m", "te: trailers",
        "content-type: application/grpc",
      ])
    let other = RequestPlan(
      method: "POST", authority: "a", path: "/", headers: [try .init("Content-Type: application/grpc+json")])
    #expect(try head(other, isGRPC: true).filter { $0.hasPrefix("content-type") } == ["content-type: application/grpc+json"])
  }

  @Test func headsThatAreTooLarge() throws {
    let plan = RequestPlan(authority: "a", path: "/" + String(repeating: "x", count: 20_000))
    #expect(throws: UsageError("the head of a request is larger than 16000 bytes")) { try head(plan) }
  }
}

@Suite struct GRPCMessageProgressTests {
  /// Feeds bytes cut at every place.
  private func outcomes(_ bytes: [UInt8]) -> Set<String> {
    var found: Set<String> = []
    for cut in 0...bytes.count {
      var message = GRPCMessageProgress()
      var content: [UInt8] = []
      for part in [bytes[..<cut], bytes[cut...]] {
        Array(part).withUnsafeBufferPointer { buffer in
          guard let base = buffer.baseAddress else { return }
          content += message.take(ByteView(base, buffer.count)).array
        }
      }
      // Of a broken one it does not matter how much was looked at.
      found.insert("\(message.isWhole) \(message.isBroken ? [] : content)")
    }
    return found
  }

  @Test func messages() {
    #expect(outcomes([]) == ["true []"])
    #expect(outcomes([0, 0, 0, 0, 0]) == ["true []"])
    #expect(outcomes([0, 0, 0, 0, 2, 7, 8]) == ["true [7, 8]"])
    #expect(outcomes([0, 0, 0, 0, 3, 7, 8]) == ["false [7, 8]"])
    #expect(outcomes([0, 0, 0]) == ["false []"])
    #expect(outcomes([0, 0, 0, 0, 1, 7, 8]) == ["false []"])
    #expect(outcomes([1, 0, 0, 0, 2, 7, 8]) == ["false []"])
    #expect(outcomes([0, 255, 255, 255, 255, 7]) == ["false [7]"])
  }
}
