import Foundation
import HTTPCore
import Primitives
import Reactor
import Synchronization
import Testing

@testable import Proxy

/// Requests that the process itself makes, over a real worker.
@Suite(.serialized)
struct InternalRequestTests {
  typealias Cause = InternalRequest.Failure.Cause

  /// Starts one request and waits for its end.
  private func exchange(
    _ proxy: ProxyHarness, _ target: InternalRequest.Target = .cluster(0), sink: RecordingSink = RecordingSink(),
    method: StaticString = "GET", body: String = "",
    _ change: @escaping @Sendable (inout InternalRequest.Settings) -> Void = { _ in }
  ) throws -> [String] {
    let request = proxy.onWorker { $0.startTestRequest(target, sink: sink, method: method, body: body, change) }
    _ = try #require(request)
    proxy.wait(for: "the end of the request") { sink.isEnded }
    return sink.events
  }

  private func expectNothingLeft(_ proxy: ProxyHarness, location: SourceLocation = #_sourceLocation) {
    let audit = proxy.onWorker { $0.audit }
    #expect(audit.internalRequests == 0, sourceLocation: location)
    #expect(audit.streams == 0, sourceLocation: location)
  }

  // MARK: Responses

  @Test func aResponseArrives() throws {
    var setup = ProxyHarness.Setup()
    setup.origin = { _ in TestOrigin.ok("hello", headers: "x-a: 1\r\n") }
    try withProxy(setup) { (proxy) throws in
      #expect(try exchange(proxy) == ["head 200 x-a=1", "data hello", "ended"])
      let seen = try #require(proxy.origin.requests.first)
      #expect(seen.startLine == "GET /inside HTTP/1.1")
      #expect(seen.headers.map(\.name) == ["host", "x-from"])
      #expect(proxy.value("cluster.c.upstream_rq_total") == 1)
      #expect(proxy.value("cluster.c.upstream_rq_200") == 1)
      #expect(proxy.value("http.p.downstream_rq_total") == 0)
      // The connection stays for the next.
      #expect(try exchange(proxy).last == "ended")
      #expect(proxy.value("cluster.c.upstream_cx_total") == 1)
      expectNothingLeft(proxy)
    }
  }

  @Test func headHasNoBody() throws {
    var setup = ProxyHarness.Setup()
    setup.origin = { _ in .text("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n") }
    try withProxy(setup) { (proxy) throws in
      #expect(try exchange(proxy, method: "HEAD") == ["head 200 ends", "ended"])
      #expect(try exchange(proxy, method: "HEAD") == ["head 200 ends", "ended"])
    }
  }

  @Test func chunksAndTrailersArrive() throws {
    var setup = ProxyHarness.Setup()
    setup.cluster = { $0.enableTrailers = true }
    setup.origin = { _ in
      .text("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-t: 1\r\n\r\n")
    }
    try withProxy(setup) { (proxy) throws in
      let sink = RecordingSink()
      let events = try exchange(proxy, sink: sink)
      #expect(events.first == "head 200")
      #expect(sink.body == "abcde")
      #expect(events.suffix(2) == ["trailers x-t=1", "ended"])
    }
  }

  @Test(arguments: [0, 1, 5000, 3_000_000])
  func bodiesPass(count: Int) throws {
    var setup = ProxyHarness.Setup()
    setup.origin = { request in .bytes(Array("HTTP/1.1 200 OK\r\ncontent-length: \(request.body.count)\r\n\r\n".utf8) + request.body) }
    try withProxy(setup) { (proxy) throws in
      let body = String(repeating: "x", count: count)
      let sink = RecordingSink()
      let events = try exchange(proxy, sink: sink, method: "POST", body: body)
      #expect(events.last == "ended")
      #expect(sink.body.utf8.count == count)
      #expect(proxy.origin.requests.first?.body.count == count)
      #expect(proxy.origin.requests.first?["content-length"] == "\(count)")
    }
  }

  @Test func aBodyMayComeInPieces() throws {
    var setup = ProxyHarness.Setup()
    setup.origin = { request in TestOrigin.ok(request.text) }
    try withProxy(setup) { (proxy) throws in
      let sink = RecordingSink()
      let started = proxy.onWorker { $0.startTestRequest(sink: sink, method: "POST", body: "one ", ends: false) }
      let request = try #require(started)
      let room = proxy.onWorker { $0.send("two ", to: request, ends: false) }
      #expect(room)
      _ = proxy.onWorker { $0.send("three", to: request, ends: true) }
      proxy.wait(for: "the end") { sink.isEnded }
      #expect(sink.body == "one two three")
      #expect(proxy.origin.requests.first?.isChunked == true)
      // What is over takes nothing.
      let late = proxy.onWorker { $0.send("more", to: request, ends: false) || $0.isUnderWay(request) }
      #expect(!late)
    }
  }

  /// Whoever sends is told to wait and when to go on: a slow host costs no more memory than the limit.
  @Test func aSlowHostMakesTheSenderWait() throws {
    let pieces = 200
    let piece = String(repeating: "p", count: 32 << 10)
    let left = Mutex(pieces)
    let refusals = Mutex(0)
    @Sendable func pump(_ worker: Worker, _ request: InternalRequest) {
      while left.withLock({ $0 }) > 0 {
        let rest = left.withLock { count in
          count -= 1
          return count
        }
        let hasRoom = worker.send(piece, to: request, ends: rest == 0)
        let waiting = worker.connections.find(Token(.ignore, slot: request.slot, generation: request.generation))
          .flatMap { worker.httpStream($0) }
          .map { $0.pointee.upstream.waitingBody.byteCount + ($0.pointee.upstream.connection?.pointee.output.byteCount ?? 0) }
        // The limit, the piece that passed it, and one more when there is a connection.
        #expect(waiting ?? 0 <= (64 + 2 * 32 + 2) << 10)
        if !hasRoom, rest > 0 {
          refusals.withLock { $0 += 1 }
          return
        }
      }
    }
    var setup = ProxyHarness.Setup()
    setup.cluster = { $0.bufferLimitBytes = 64 << 10 }
    setup.origin = { request in TestOrigin.ok("\(request.body.count)") }
    try withProxy(setup) { (proxy) throws in
      let sink = RecordingSink(["writable": pump])
      let started = proxy.onWorker { worker in
        let request = worker.startTestRequest(sink: sink, method: "POST", ends: false) { $0.bufferLimitBytes = 64 << 10 }
        if let request { pump(worker, request) }
        return request
      }
      _ = try #require(started)
      proxy.wait(for: "the end") { sink.isEnded }
      #expect(sink.body == "\(pieces * piece.utf8.count)")
      #expect(refusals.withLock { $0 } > 0)
      #expect(sink.events.contains("writable"))
    }
  }

  // MARK: Hosts

  @Test(arguments: [(0, UInt64(1)), (7, 1), (-1, 1), (0, 2)])
  func aHostMayBeNamed(index: Int, identity: UInt64) throws {
    try withProxy { (proxy) throws in
      let events = try exchange(proxy, .host(cluster: 0, index: index, identity: identity))
      if identity == 1 {
        #expect(events.first == "head 200")
      } else {
        #expect(events == ["ended noHost no_healthy_upstream"])
        #expect(proxy.origin.requests.isEmpty)
      }
      expectNothingLeft(proxy)
    }
  }

  // MARK: Failures

  private static let closing: TestOrigin.Handler = { _ in .bytesThenClose([]) }
  private static let halfAHead: TestOrigin.Handler = { _ in .bytesThenClose(Array("HTTP/1.1 200 OK\r\nx-".utf8)) }
  private static let halfABody: TestOrigin.Handler = { _ in
    .bytesThenClose(Array("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc".utf8))
  }
  private static let nonsense: TestOrigin.Handler = { _ in .text("nonsense\r\n\r\n") }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var origin: TestOrigin.Handler = { TestOrigin.ok("\($0)") }
    var cluster: @Sendable (inout ClusterConfig) -> Void = { _ in }
    var slot: UInt32 = 0
    let events: [String]
  }

  @Test(arguments: [
    Row(
      testDescription: "closes", origin: closing,
      events: ["ended terminated upstream_reset_before_response_started{connection_termination}"]),
    Row(
      testDescription: "half a head", origin: halfAHead,
      events: ["ended protocolError upstream_reset_before_response_started{protocol_error|http1.codec_error}"]),
    Row(
      testDescription: "half a body", origin: halfABody,
      events: [
        "head 200", "data abc", "ended terminated upstream_reset_after_response_started{connection_termination}",
      ]),
    Row(
      testDescription: "no HTTP", origin: nonsense,
      events: ["ended protocolError upstream_reset_before_response_started{protocol_error|http1.codec_error}"]),
    Row(testDescription: "no such cluster", slot: 9, events: ["ended noCluster cluster_not_found"]),
    Row(
      testDescription: "requests are limited", cluster: { $0.normalLimits.requests = 0 },
      events: ["ended overflow upstream_reset_before_response_started{overflow}"]),
    Row(
      testDescription: "waiting is limited", cluster: { $0.normalLimits.pendingRequests = 0 },
      events: ["ended overflow upstream_reset_before_response_started{overflow}"]),
  ])
  func failuresAreTold(row: Row) throws {
    var setup = ProxyHarness.Setup()
    setup.origin = row.origin
    setup.cluster = row.cluster
    try withProxy(setup) { (proxy) throws in
      let events = try exchange(proxy, .cluster(row.slot))
      #expect(events.dropLast() == row.events.dropLast())
      let (last, wanted) = (try #require(events.last), try #require(row.events.last))
      // What exactly is wrong with a message is the codec's word.
      #expect(last.split(separator: "|").first == wanted.split(separator: "|").first)
      expectNothingLeft(proxy)
    }
  }

  @Test func aRefusedConnectionIsTold() throws {
    var setup = ProxyHarness.Setup()
    let (fd, port) = try BlockingSocket.listen()
    close(fd)
    setup.originPort = port
    try withProxy(setup) { (proxy) throws in
      let events = try exchange(proxy)
      #expect(events.count == 1)
      #expect(events[0].hasPrefix("ended connect upstream_reset_before_response_started{remote_connection_failure|"))
      #expect(proxy.value("cluster.c.upstream_cx_connect_fail") == 1)
      #expect(proxy.value("cluster.c.upstream_rq_503") == 1)
    }
  }

  // MARK: Time

  struct Limit: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let set: @Sendable (inout InternalRequest.Settings) -> Void
    let ended: String
    var timeouts: UInt64 = 0
  }

  private static let limits = [
    Limit(testDescription: "timeout", set: { $0.timeout = 30_000_000 }, ended: "ended timeout response_timeout", timeouts: 1),
    Limit(testDescription: "deadline", set: { $0.deadline = 30_000_000 }, ended: "ended deadline max_duration_timeout"),
    Limit(testDescription: "idle", set: { $0.idleTimeout = 30_000_000 }, ended: "ended idle stream_idle_timeout"),
  ]

  @Test(arguments: limits, [false, true])
  func timesEnd(limit: Limit, startsToAnswer: Bool) throws {
    let gate = DispatchSemaphore(value: 0)
    var setup = ProxyHarness.Setup()
    if startsToAnswer {
      setup.origin = { _ in .text("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc") }
    } else {
      setup.origin = { _ in
        gate.wait()
        return .bytesThenClose([])
      }
    }
    try withProxy(setup) { (proxy) throws in
      defer { gate.signal() }
      let events = try exchange(proxy, limit.set)
      #expect(events == (startsToAnswer ? ["head 200", "data abc"] : []) + [limit.ended])
      #expect(proxy.value("cluster.c.upstream_rq_timeout") == limit.timeouts)
      #expect(proxy.value("cluster.c.upstream_rq_active") == 0)
      expectNothingLeft(proxy)
    }
  }

  private func exchange(
    _ proxy: ProxyHarness, _ change: @escaping @Sendable (inout InternalRequest.Settings) -> Void
  ) throws -> [String] {
    try exchange(proxy, .cluster(0), change)
  }

  // MARK: Cancelled

  @Test func cancelledBeforeItBegins() throws {
    try withProxy { (proxy) throws in
      let sink = RecordingSink()
      let isOver = proxy.onWorker { worker in
        guard let request = worker.startTestRequest(sink: sink) else { return false }
        guard worker.isUnderWay(request) else { return false }
        worker.cancel(request)
        worker.cancel(request)
        return !worker.isUnderWay(request)
      }
      #expect(isOver)
      #expect(try proxy.get().status == 200)
      #expect(sink.events.isEmpty)
      #expect(proxy.origin.requests.count == 1)
    }
  }

  @Test func cancelledWhileItWaits() throws {
    let gate = DispatchSemaphore(value: 0)
    var setup = ProxyHarness.Setup()
    setup.cluster = { $0.normalLimits.connections = 1 }
    setup.origin = { _ in
      gate.wait()
      return TestOrigin.ok("late")
    }
    try withProxy(setup) { (proxy) throws in
      let (first, second) = (RecordingSink(), RecordingSink())
      _ = proxy.onWorker { $0.startTestRequest(sink: first) }
      proxy.wait(for: "the first to be sent") { proxy.origin.requests.count == 1 }
      let waiting = proxy.onWorker { $0.startTestRequest(sink: second) }
      let request = try #require(waiting)
      proxy.wait(for: "the second to wait") { proxy.value("cluster.c.upstream_rq_pending_active") == 1 }
      proxy.onWorker { $0.cancel(request) }
      #expect(proxy.value("cluster.c.upstream_rq_pending_active") == 0)
      #expect(proxy.value("cluster.c.upstream_rq_cancelled") == 1)
      gate.signal()
      proxy.wait(for: "the first to end") { first.isEnded }
      #expect(second.events.isEmpty)
      expectNothingLeft(proxy)
    }
  }

  @Test func cancelledBeforeTheResponse() throws {
    let gate = DispatchSemaphore(value: 0)
    var setup = ProxyHarness.Setup()
    setup.origin = { _ in
      gate.wait()
      return .bytesThenClose([])
    }
    try withProxy(setup) { (proxy) throws in
      defer { gate.signal() }
      let sink = RecordingSink()
      let started = proxy.onWorker { $0.startTestRequest(sink: sink) }
      let request = try #require(started)
      proxy.wait(for: "the request to be sent") { proxy.origin.requests.count == 1 }
      proxy.onWorker { $0.cancel(request) }
      proxy.wait(for: "the connection to close") { proxy.value("cluster.c.upstream_cx_active") == 0 }
      #expect(proxy.value("cluster.c.upstream_rq_tx_reset") == 1)
      #expect(sink.events.isEmpty)
      expectNothingLeft(proxy)
    }
  }

  @Test(arguments: ["head", "data"], [true, false])
  func cancelledByItsSink(at event: String, isChunked: Bool) throws {
    var setup = ProxyHarness.Setup()
    setup.origin = { _ in
      isChunked
        ? .text("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") : TestOrigin.ok("abcde")
    }
    try withProxy(setup) { (proxy) throws in
      let sink = RecordingSink([event: { $0.cancel($1) }])
      _ = proxy.onWorker { $0.startTestRequest(sink: sink) }
      proxy.wait(for: "the request to be over") { proxy.onWorker { $0.audit.internalRequests } == 0 }
      #expect(sink.events.last?.hasPrefix(event) == true)
      #expect(try exchange(proxy).last == "ended")
      expectNothingLeft(proxy)
    }
  }

  @Test func aSinkMayGoOn() throws {
    let left = Mutex(20)
    let again = Mutex<RecordingSink?>(nil)
    let sink = RecordingSink(["ended": { worker, _ in
      let rest = left.withLock { count in
        count -= 1
        return count
      }
      if rest > 0, let sink = again.withLock({ $0 }) { _ = worker.startTestRequest(.cluster(9), sink: sink) }
    }])
    again.withLock { $0 = sink }
    try withProxy { (proxy) throws in
      _ = proxy.onWorker { $0.startTestRequest(sink: sink) }
      proxy.wait(for: "all of them") { left.withLock { $0 } == 0 }
      #expect(sink.events.filter { $0 == "ended noCluster cluster_not_found" }.count == 19)
      expectNothingLeft(proxy)
    }
    again.withLock { $0 = nil }
  }

  @Test func nobodyNeedsToListen() throws {
    try withProxy { (proxy) throws in
      _ = proxy.onWorker { $0.startTestRequest(sink: nil, method: "POST", body: "x") }
      proxy.wait(for: "the response") { proxy.value("cluster.c.upstream_rq_200") == 1 }
      proxy.wait(for: "the end") { proxy.onWorker { $0.audit.internalRequests } == 0 }
      #expect(proxy.origin.requests.first?.body == [120])
    }
  }

  // MARK: The worker

  @Test func theWorkerMayEndFirst() throws {
    let gate = DispatchSemaphore(value: 0)
    var setup = ProxyHarness.Setup()
    setup.origin = { _ in
      gate.wait()
      return .bytesThenClose([])
    }
    // A sink that tries to go on is refused.
    let refused = Mutex(false)
    let sink = RecordingSink(["ended": { worker, _ in
      refused.withLock { $0 = worker.startTestRequest(sink: nil) == nil }
    }])
    let proxy = try ProxyHarness(setup)
    _ = proxy.onWorker { $0.startTestRequest(sink: sink) }
    proxy.wait(for: "the request to be sent") { proxy.origin.requests.count == 1 }
    proxy.finish(streams: 1) { gate.signal() }
    #expect(sink.events.count == 1)
    #expect(sink.isEnded)
    #expect(refused.withLock { $0 })
  }

  @Test func aReloadLeavesItAlone() throws {
    let gate = DispatchSemaphore(value: 0)
    var setup = ProxyHarness.Setup()
    setup.origin = { _ in
      gate.wait()
      return TestOrigin.ok("late")
    }
    try withProxy(setup) { (proxy) throws in
      let sink = RecordingSink()
      _ = proxy.onWorker { $0.startTestRequest(sink: sink) }
      proxy.wait(for: "the request to be sent") { proxy.origin.requests.count == 1 }
      let first = proxy.onWorker { $0.generation.pointee.snapshot.takeUnretainedValue() }
      let next = Snapshot(
        generation: 2, clusters: [nil], hosts: [nil], routeTables: Array(first.routeTables.buffer), listeners: first.listeners,
        workerCount: 1)
      proxy.onWorker { $0.adopt(next) }
      let old = proxy.onWorker { $0.audit.oldGenerations }
      #expect(old == 1)
      // The cluster is gone for those that begin now.
      #expect(try exchange(proxy) == ["ended noCluster cluster_not_found"])
      gate.signal()
      proxy.wait(for: "the end") { sink.isEnded }
      #expect(sink.events == ["head 200", "data late", "ended"])
      let left = proxy.onWorker { $0.audit.oldGenerations }
      #expect(left == 0)
    }
  }

  // MARK: HTTP/2

  private func withHTTP2(
    _ script: @escaping HTTP2ScriptOrigin.Script, _ body: (ProxyHarness, HTTP2ScriptOrigin) throws -> Void
  ) throws {
    let origin = HTTP2ScriptOrigin(script)
    var setup = ProxyHarness.Setup()
    setup.usesHTTP2 = true
    setup.serve = { try origin.serve($0) }
    try withProxy(setup) { try body($0, origin) }
  }

  @Test func http2ResponsesArrive() throws {
    try withHTTP2({ frame in
      guard frame.endsStream else { return [] }
      return [
        .head(frame.stream, fields: [("x-a", "1")]), .body(frame.stream, "h2", ends: false),
        .trailers(frame.stream, fields: [("x-t", "2")]),
      ]
    }) { (proxy, origin) throws in
      let wanted = ["head 200 x-a=1", "data h2", "trailers x-t=2", "ended"]
      #expect(try exchange(proxy) == wanted)
      #expect(try exchange(proxy, method: "POST", body: "body") == wanted)
      #expect(proxy.value("cluster.c.upstream_cx_total") == 1)
      #expect(origin.frames.last?.payload == Array("body".utf8))
      expectNothingLeft(proxy)
    }
  }

  @Test func http2ResetsAreTold() throws {
    try withHTTP2({ frame in
      frame.stream == 1 ? [.reset(1, 2)] : [.head(frame.stream), .body(frame.stream, "x", ends: false), .reset(frame.stream, 2)]
    }) { (proxy, _) throws in
      #expect(try exchange(proxy) == ["ended reset upstream_reset_before_response_started{remote_reset}"])
      #expect(
        try exchange(proxy) == ["head 200", "data x", "ended reset upstream_reset_after_response_started{remote_reset}"])
      #expect(proxy.value("cluster.c.upstream_rq_rx_reset") == 2)
      expectNothingLeft(proxy)
    }
  }

  @Test func http2CancelsOneStream() throws {
    try withHTTP2({ frame in
      frame.type == HTTP2ScriptOrigin.Frame.headers && frame.stream > 1
        ? [.head(frame.stream, ends: true)] : []
    }) { (proxy, origin) throws in
      let sink = RecordingSink()
      let started = proxy.onWorker { $0.startTestRequest(sink: sink) }
      let request = try #require(started)
      proxy.wait(for: "the request to be sent") { !origin.frames.isEmpty }
      proxy.onWorker { $0.cancel(request) }
      proxy.wait(for: "the reset") { origin.frames.count == 2 }
      #expect(origin.frames[1].type == HTTP2ScriptOrigin.Frame.reset)
      #expect(origin.frames[1].payload == [0, 0, 0, 8])
      #expect(try exchange(proxy) == ["head 200 ends", "ended"])
      #expect(proxy.value("cluster.c.upstream_cx_total") == 1)
      #expect(sink.events.isEmpty)
      expectNothingLeft(proxy)
    }
  }
}
