import Reactor
import Stats
import Testing

@testable import Proxy
@testable import Server

@Suite struct AdminStatsTests {
  private func harness() throws -> AdminHarness {
    let harness = try AdminHarness()
    let registry = harness.delegate.registry
    registry.mainSlab.add(registry.counter("zz.used"), 5)
    _ = registry.counter("zz.unused")
    registry.mainSlab.set(registry.gauge("zz.level"), to: 7)
    return harness
  }

  @Test(arguments: [
    ("/stats?filter=^zz", "zz.level: 7\nzz.unused: 0\nzz.used: 5\n"),
    ("/stats?filter=^zz&usedonly", "zz.level: 7\nzz.used: 5\n"),
    ("/stats?filter=%5Ezz%5C.us", "zz.used: 5\n"),
    ("/stats?filter=^zz&type=Gauges", "zz.level: 7\n"),
    ("/stats?filter=^zz&type=Histograms", ""),
    (
      "/stats?filter=^zz&type=Counters&format=json",
      #"{"stats":[{"name":"zz.unused","value":0},{"name":"zz.used","value":5}]}"# + "\n"
    ),
    ("/stats/prometheus?filter=zz.used", "# TYPE envoy_zz_used counter\nenvoy_zz_used{} 5\n"),
    ("/stats?format=prometheus&filter=zz.level", "# TYPE envoy_zz_level gauge\nenvoy_zz_level{} 7\n"),
  ])
  func pages(target: String, body: String) throws {
    let reply = try harness().get(target)
    #expect(reply.status == 200)
    let gotten = reply.body.hasSuffix("\n") || reply.body.isEmpty ? reply.body : reply.body + "\n"
    #expect(gotten.sortedLines == body.sortedLines)
  }

  @Test(arguments: [
    ("filter=(", "Invalid re2 regex: missing ): ("), ("type=foo", "invalid &type= param"),
    ("format=foo", "usage: /stats?format=(json|prometheus|text)\n\n"),
    (
      "histogram_buckets=foo",
      "usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary)\n"
    ),
  ])
  func badParameters(query: String, body: String) throws {
    let reply = try harness().get("/stats?\(query)")
    #expect(reply.status == 400)
    #expect(reply.body == body)
  }

  @Test func everyMetricIsPrintedOnce() throws {
    let harness = try AdminHarness(statCount: 20_000)
    let names = try harness.get("/stats?filter=^many").body.split(separator: "\n")
    #expect(names.count == 20_000)
    #expect(Set(names).count == 20_000)
  }

  /// Turns are counted, not time: each makes one slice of the long answer at most.
  @Test func readyIsAnsweredWhileALongPageStreams() throws {
    let harness = try AdminHarness(statCount: 100_000)
    let scrape = try AdminClient(port: harness.port)
    scrape.send("GET /stats HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    try harness.turn(while: { scrape.receive() && scrape.received.count < 100_000 })
    let probe = try AdminClient(port: harness.port)
    probe.send("GET /ready HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    var turns = 0
    let before = scrape.received.count
    while probe.receive(), turns < 1000 {
      harness.worker.turn()
      _ = scrape.receive()
      turns += 1
    }
    #expect(String(decoding: probe.received, as: UTF8.self).hasSuffix("LIVE\n"))
    #expect(turns <= 10)
    // A turn made no more than a slice and what its last piece went over it.
    #expect(scrape.received.count - before <= (turns + 2) * 2 * AdminTerminal.sliceBytes)
    try harness.turn(while: { scrape.receive() })
    #expect(try AdminReply(scrape.received).body.split(separator: "\n").count > 100_000)
  }

  @Test func aReaderThatDoesNotReadCostsBoundedMemory() throws {
    let limit = 64 * 1024
    let harness = try AdminHarness(
      statCount: 100_000, bufferLimitBytes: limit, sendBufferBytes: 16 * 1024)
    let scrape = try AdminClient(port: harness.port, receiveBufferBytes: 4096)
    scrape.send("GET /stats HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    var most = 0
    for _ in 0..<500 {
      harness.worker.turn()
      most = max(most, outputBytes(harness.worker))
    }
    #expect(most > limit)
    #expect(most <= limit + 2 * AdminTerminal.sliceBytes)
    try harness.turn(while: { scrape.receive() })
    let lines = try AdminReply(scrape.received).body.split(separator: "\n")
    #expect(lines.count { $0.hasPrefix("many.stat_") } == 100_000)
    #expect(harness.worker.http.resumed.isEmpty)
  }

  @Test func aClientThatLeavesEndsItsPage() throws {
    let harness = try AdminHarness(statCount: 100_000)
    do {
      let scrape = try AdminClient(port: harness.port)
      scrape.send("GET /stats HTTP/1.1\r\nhost: a\r\n\r\n")
      try harness.turn(while: { scrape.receive() && scrape.received.isEmpty })
    }
    try harness.turn(while: { harness.worker.downstreamConnectionCount > 0 })
    #expect(harness.worker.http.resumed.isEmpty)
    #expect(try harness.get("/ready").body == "LIVE\n")
  }

  private func outputBytes(_ worker: Worker) -> Int {
    worker.epochs.reduce(0) { sum, epoch in
      var total = sum
      var next = epoch.pointee.first
      while let connection = next {
        total += connection.pointee.output.byteCount
        next = connection.pointee.next
      }
      return total
    }
  }
}

extension String {
  /// Kinds of metrics are printed one after the other; what is tested here is which ones.
  fileprivate var sortedLines: [Substring] { split(separator: "\n").sorted() }
}
