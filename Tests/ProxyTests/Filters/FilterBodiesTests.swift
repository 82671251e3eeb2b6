import HTTPCore
import Primitives
import Reactor
import Testing

@testable import Proxy

/// Adds data and trailers where the test says.
private final class MakerFilter: HTTPFilter, @unchecked Sendable {
  // Sendable: immutable.
  struct Script: Sendable {
    /// A body and trailers for a response that ends with its head.
    var bodyAtHead = ""
    var trailersAtHead = false
    var trailersAtData = false
    /// Data ahead of trailers that come.
    var dataAtTrailers = ""
    var removesTrailers = false
    var holdsEverything = false
    var headersStatus = HeadersStatus.continue
    var lastDataStatus = DataStatus.continue
    /// Of requests.
    var requestDataAtTrailers = ""
    var requestBodyAtHead = ""
    var removesRequestTrailers = false
  }

  private let script: Script
  private let requestBody: FrozenText
  private let requestData: FrozenText
  private let body: FrozenText
  private let data: FrozenText

  init(_ name: String, _ script: Script) {
    self.script = script
    requestBody = FrozenText(script.requestBodyAtHead)
    requestData = FrozenText(script.requestDataAtTrailers)
    body = FrozenText(script.bodyAtHead)
    data = FrozenText(script.dataAtTrailers)
    super.init(name: name, interests: ScriptFilter.all)
  }

  override func decodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    if endsStream, !requestBody.view.isEmpty { context.addRequestData(requestBody.view) }
    return .continue
  }

  override func decodeTrailers(_ context: FilterContext) -> TrailersStatus {
    if !requestData.view.isEmpty { context.addRequestData(requestData.view) }
    if script.removesRequestTrailers {
      context.requestTrailers.pointee = HeaderMap(unallocatedIn: context.arena)
    }
    return .continue
  }

  override func encodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    if endsStream {
      context.responseHeaders.pointee.remove(.contentLength)
      if !body.view.isEmpty { context.addResponseData(body.view) }
      if script.trailersAtHead { end(context) }
    }
    if script.headersStatus != .continue { context.setTimer(afterNanoseconds: 1_000_000) }
    return script.headersStatus
  }

  override func encodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    if script.holdsEverything, !endsStream { return .stopAndBuffer }
    if script.holdsEverything {
      context.takeHeldResponse(before: &data)
      context.prepend(ByteView("["), to: &data)
      var end = context.makeData(ByteView("]"))
      data.append(&end)
    }
    guard endsStream, script.trailersAtData else { return .continue }
    end(context)
    if script.lastDataStatus != .continue { context.setTimer(afterNanoseconds: 1_000_000) }
    return script.lastDataStatus
  }

  override func encodeTrailers(_ context: FilterContext) -> TrailersStatus {
    if !data.view.isEmpty { context.addResponseData(data.view) }
    if script.removesTrailers { context.responseTrailers.pointee = HeaderMap(unallocatedIn: context.arena) }
    return .continue
  }

  override func timerFired(_ context: FilterContext) { context.continueEncoding() }

  private func end(_ context: FilterContext) {
    context.endWithTrailers { $0.append(name: ByteView("x-made"), value: ByteView("1"), known: .other) }
  }
}

@Suite(.serialized)
struct FilterBodiesTests {
  private static let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
  private static let withTrailers = chunked + "3\r\nuvw\r\n3\r\nxyz\r\n0\r\nx-u: 1\r\n\r\n"
  private static let without = chunked + "3\r\nuvw\r\n3\r\nxyz\r\n0\r\n\r\n"
  private static let empty = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

  /// A watcher before and one behind the maker: responses pass `later`, the maker, `earlier`.
  private func exchange(
    _ answer: String, request: String = "GET / HTTP/1.1\r\nhost: h\r\n\r\n",
    earlier script: ScriptFilter.Script = ScriptFilter.Script(), _ change: (inout MakerFilter.Script) -> Void,
    check: (_ answer: TestMessage, _ earlier: [String], _ proxy: ProxyHarness) throws -> Void
  ) throws {
    var maker = MakerFilter.Script()
    change(&maker)
    let earlier = ScriptFilter("earlier", script)
    let later = ScriptFilter("later", ScriptFilter.Script())
    var setup = ProxyHarness.Setup()
    setup.filters = { _ in [earlier, MakerFilter("maker", maker), later] }
    setup.manager = { $0.enableTrailers = true }
    setup.cluster = { $0.enableTrailers = true }
    setup.origin = { _ in .text(answer) }
    try withProxy(setup) { (proxy) throws in
      let client = try proxy.connect()
      // Twice: the connection must be in order behind the first.
      for _ in 0..<2 {
        try client.send(request)
        let message = try #require(try client.readMessage())
        #expect(message.status == 200)
        try check(message, earlier.seen, proxy)
      }
    }
  }

  private func trailers(_ message: TestMessage) -> [String] { message.trailers.map(\.name) }

  @Test(arguments: [HeadersStatus.continue, .stop, .stopAll])
  func trailersForAHeadAlone(_ status: HeadersStatus) throws {
    try exchange(
      Self.empty,
      {
        $0.trailersAtHead = true
        $0.headersStatus = status
      }
    ) { answer, earlier, _ in
      #expect(answer.text.isEmpty)
      #expect(trailers(answer) == ["x-made"])
      #expect(earlier.contains("encodeHeaders") && earlier.contains("encodeTrailers"))
      #expect(!earlier.contains("encodeHeaders+"))
    }
  }

  @Test(arguments: [HeadersStatus.continue, .stop])
  func bodyForAHeadAlone(_ status: HeadersStatus) throws {
    try exchange(
      Self.empty,
      {
        $0.bodyAtHead = "made"
        $0.headersStatus = status
      }
    ) { answer, earlier, _ in
      #expect(answer.text == "made")
      #expect(trailers(answer).isEmpty)
      #expect(earlier.contains("encodeData+"))
    }
  }

  @Test(arguments: [HeadersStatus.continue, .stop])
  func bodyAndTrailersForAHeadAlone(_ status: HeadersStatus) throws {
    try exchange(
      Self.empty,
      {
        $0.bodyAtHead = "made"
        $0.trailersAtHead = true
        $0.headersStatus = status
      }
    ) { answer, earlier, _ in
      #expect(answer.text == "made")
      #expect(trailers(answer) == ["x-made"])
      #expect(!earlier.contains("encodeData+"))
    }
  }

  @Test(arguments: [DataStatus.continue, .stopAndBuffer, .stopAndWatermark])
  func trailersForABody(_ status: DataStatus) throws {
    try exchange(
      Self.without,
      {
        $0.trailersAtData = true
        $0.lastDataStatus = status
      }
    ) { answer, earlier, _ in
      #expect(answer.text == "uvwxyz")
      #expect(trailers(answer) == ["x-made"])
      #expect(earlier.contains("encodeTrailers"))
      #expect(!earlier.contains("encodeData+"))
    }
  }

  @Test func everythingHeldBackAndWrapped() throws {
    try exchange(
      Self.without,
      {
        $0.holdsEverything = true
        $0.trailersAtData = true
      }
    ) { answer, _, _ in
      #expect(answer.text == "[uvwxyz]")
      #expect(trailers(answer) == ["x-made"])
    }
  }

  @Test func dataAheadOfTrailers() throws {
    try exchange(Self.withTrailers, { $0.dataAtTrailers = "more" }) { answer, _, _ in
      #expect(answer.text == "uvwxyzmore")
      #expect(trailers(answer) == ["x-u"])
    }
  }

  @Test func dataInsteadOfTrailers() throws {
    try exchange(
      Self.withTrailers,
      {
        $0.dataAtTrailers = "more"
        $0.removesTrailers = true
      }
    ) { answer, _, _ in
      #expect(answer.text == "uvwxyzmore")
      #expect(trailers(answer).isEmpty)
    }
  }

  /// A later filter that has stopped holds what was made, in order.
  @Test func madeForAFilterThatWaits() throws {
    var waits = ScriptFilter.Script()
    waits.encodeHeaders = .stopAll
    waits.continueAfterNanoseconds = 2_000_000
    try exchange(
      Self.empty, earlier: waits,
      {
        $0.bodyAtHead = "made"
        $0.trailersAtHead = true
      }
    ) { answer, earlier, _ in
      #expect(answer.text == "made")
      #expect(trailers(answer) == ["x-made"])
      #expect(earlier.contains("timerFired"))
    }
  }

  @Test func requestDataAheadOfTrailers() throws {
    let request =
      "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n"
    try exchange(Self.empty, request: request, { $0.requestDataAtTrailers = "more" }) { _, _, proxy in
      #expect(proxy.origin.requests.last?.text == "abcmore")
      #expect(proxy.origin.requests.last.map(trailers) == ["x-t"])
    }
    try exchange(
      Self.empty, request: request,
      {
        $0.requestDataAtTrailers = "more"
        $0.removesRequestTrailers = true
      }
    ) { _, _, proxy in
      #expect(proxy.origin.requests.last?.text == "abcmore")
      #expect(proxy.origin.requests.last.map(trailers) == [])
    }
  }

  @Test func requestBodyForAHeadAlone() throws {
    try exchange(Self.empty, { $0.requestBodyAtHead = "made" }) { _, _, proxy in
      #expect(proxy.origin.requests.last?.text == "made")
    }
  }
}
