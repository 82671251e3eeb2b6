import Testing

@testable import Stats

@Suite struct MatcherTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let matcher: StatsMatcher
    let accepted: [String]
  }

  static let names = ["cluster.a.x", "http.a.x", "server.live"]

  @Test(arguments: [
    Row(testDescription: "accept all", matcher: .acceptAll, accepted: names),
    Row(testDescription: "reject all", matcher: .rejectAll, accepted: []),
    Row(
      testDescription: "inclusion by prefix and suffix",
      matcher: .including([.prefix("cluster."), .suffix("live")]),
      accepted: ["cluster.a.x", "server.live"]),
    Row(
      testDescription: "exclusion by substring", matcher: .excluding([.contains(".a.")]),
      accepted: ["server.live"]),
    Row(
      testDescription: "exact is the whole name",
      matcher: .including([.exact("http.a.x"), .exact("server")]), accepted: ["http.a.x"]),
    Row(
      testDescription: "predicate", matcher: .excluding([.predicate { $0.utf8.count > 8 }]),
      accepted: ["http.a.x"]),
    Row(
      testDescription: "an empty inclusion list accepts nothing", matcher: .including([]),
      accepted: []),
    Row(
      testDescription: "a text longer than the name", matcher: .including([.contains("server.lively")]),
      accepted: []),
  ])
  func decidesAtCreation(_ row: Row) throws {
    let registry = try makeRegistry { $0.matcher = row.matcher }
    for name in Self.names { registry.mainSlab.increment(registry.counter(name)) }
    #expect(registry.metrics.map(\.name) == row.accepted)
  }

  @Test func judgesCodesOneByOne() throws {
    let registry = try makeRegistry { $0.matcher = .excluding([.suffix("_200")]) }
    let codes = registry.codeFamily("rq")
    registry.mainSlab.increment(codes, code: 200)
    registry.mainSlab.increment(codes, code: 500)
    #expect(registry.metrics.map(\.name) == ["rq_500"])
  }
}
