import HTTP1
import Testing

@testable import FuzzTargets

/// The properties themselves: each must see what it is there to see.
@Suite struct OracleTests {
  @Test(arguments: [
    "a:1|c\nb:1|c", "a:1:2|c", "a 1:1|c", "a:|c", "a:1", "a:1|x", "a:1|c|#t", "a:-1|g",
    "a:1.2.3|ms", "a:1|c|@|#t:1", "a:1|c|#t:1|#u:1", "a\u{7f}:1|c",
  ])
  func statsdGrammarRefuses(line: String) {
    #expect(throws: Violation.self) { try StatsdLine.check(Array(line.utf8)[...], isTagged: true) }
  }

  @Test(arguments: ["a:1|c", "a:0.5|ms|@0.25", "a.b:1|g|#t:1,u:", "a:1|c|@0.1|#t:1"])
  func statsdGrammarAccepts(line: String) throws {
    try StatsdLine.check(Array(line.utf8)[...], isTagged: true)
  }

  @Test(arguments: [
    ["Host: a"], ["a b: c"], ["a: b\r\nc: d"], ["a:  b"], ["connection: close"],
    ["transfer-encoding: chunked"], ["te: gzip"], ["content-length: 1", "content-length: 1"],
  ])
  func headFieldsRefuse(fields: [String]) {
    #expect(throws: Violation.self) { try checkHeadFields(fields, framing: .none) }
  }

  @Test func headFieldsMustAgreeWithTheFraming() throws {
    try checkHeadFields([":path: /", "content-length: 3"], framing: .length(3))
    #expect(throws: Violation.self) { try checkHeadFields(["content-length: 3"], framing: .chunked) }
    #expect(throws: Violation.self) { try checkHeadFields([], framing: .length(3)) }
    #expect(throws: Violation.self) {
      try checkHeadFields(["content-length: 4"], framing: .length(3))
    }
  }

  @Test(arguments: [
    ("3\r\nabc\r\n0\r\n\r\n", "abc", 13), ("0\r\nA: b\r\n\r\nGET", "", 11),
    ("1;x\r\na\r\nB\r\n12345678901\r\n0\r\n\r\nx", "a12345678901", 29),
  ])
  func referenceChunks(text: String, content: String, length: Int) throws {
    let chunks = try #require(ReferenceChunks(Array(text.utf8)))
    #expect(String(decoding: chunks.content, as: UTF8.self) == content)
    #expect(chunks.length == length)
    #expect(ReferenceChunks(Array(text.utf8.prefix(length - 1))) == nil)
  }

  @Test func placesInAText() {
    let lines = TextLines(Array("ab\r\nc\u{2028}d".utf8))
    for (line, column) in [(1, 1), (1, 3), (2, 2), (3, 2), (4, 1)] {
      #expect(lines.contains(line: line, column: column), "\(line):\(column)")
    }
    for (line, column) in [(0, 1), (1, 0), (1, 4), (2, 3), (4, 2), (5, 1)] {
      #expect(!lines.contains(line: line, column: column), "\(line):\(column)")
    }
  }

  @Test func planSearchesRoutesInOrder() {
    var plan = RoutePlan()
    for line in ["h*.a.com", "p/", "h*", "s/a", "E/AB", "p/a", "g", "p/a"] {
      let taken1 = plan.take(Array(line.utf8))
      #expect(taken1)
    }
    let taken2 = plan.take(Array("x /".utf8))
    #expect(!taken2)
    func find(_ host: String, _ path: String) -> RoutePlan.Found {
      plan.find(host: Array(host.utf8), path: Array(path.utf8))
    }
    #expect(find("X.A.com", "/q") == .init(host: 0, route: "0.0"))
    #expect(find(".a.com", "/q") == .init(host: 1, route: nil))
    #expect(find("z", "/a/b?c") == .init(host: 1, route: "1.0"))
    #expect(find("z", "/ab#c") == .init(host: 1, route: "1.1"))
    #expect(find("z", "/abc") == .init(host: 1, route: "1.3"))
  }

  /// Requests after one another, and where each ends.
  @Test func eventsOfAConnection() {
    func events(_ text: String) -> RequestEvents { RequestEvents(Array(text.utf8)) }
    let two = events(
      "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: h\r\n\r\n")
    #expect(two.requests.map(\.end) == [51, 79])
    #expect(two.requests.map(\.body) == [Array("abc".utf8), []])
    #expect(two.ending == .idle)
    #expect(events("GET / HTTP/1.1\r\n").ending == .needMore)
    #expect(events("GET / HTTP/1.1\r\n\r\n").ending == .failed(.missingHost))
    let closed = events("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /")
    #expect(closed.requests.count == 1)
    #expect(closed.ending == .closed)
    #expect(
      events("GET / HTTP/1.1\r\nHost: h\r\n\r\n").json
        == #"{"requests":[{"method":"474554","target":"2f","fields":[["686f7374","68"]],"trailers":[],"body":"","end":27}],"ending":"idle"}"#
    )
  }
}
