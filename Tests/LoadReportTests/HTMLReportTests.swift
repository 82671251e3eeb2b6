import Testing

@testable import LoadReport

@Suite struct HTMLReportTests {
  private static let pages: [String] = {
    var fixture = RunFixture(seed: 2)
    let closed = fixture.run(label: "apus", seconds: 4, rate: 500)
    var hostile = fixture.run(
      label: "</title><script>alert('x')</script>\"' onload=x", seconds: 4, rate: 300, stallAt: 2)
    hostile.target = "http://a/<img src=//evil.example/x>"
    hostile.command = "</code><link rel=stylesheet href=//evil.example>\u{0}"
    let open = fixture.run(
      label: "", mode: .open(arrivals: .poisson, first: 500, last: 500), seconds: 400, rate: 5)
    let ramps = [fixture.ramp(label: "one"), fixture.ramp(label: "two", limit: 21_000)]
    var single = RunResult(
      label: "single", target: "t", mode: .closed, connections: 1, threads: 1, startUnixSeconds: 0,
      durationNanoseconds: 1)
    var nothing = single
    nothing.tally.errors.add(.connectFailed, 3)
    single.latency.record(nanoseconds: 5)
    single.tally.responses = 1
    let many = (0..<12).map { fixture.run(label: "run \($0)", seconds: 2, rate: 50) }
    return [[closed], [closed, hostile], [open], ramps, [single], [nothing], [], many, [single, nothing]]
      .map(HTMLReport.page)
  }()

  @Test(arguments: pages.indices)
  func needsNothingElse(index: Int) {
    let page = Self.pages[index].lowercased()
    for forbidden in ["<script", "<link", "<img", "<iframe", "src=", "href=", "url(", "@import", "javascript:"]
    where !Self.isText(forbidden, in: page) {
      #expect(!page.contains(forbidden), "\(forbidden)")
    }
    #expect(page.contains("content-security-policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\""))
    #expect(!page.contains("\u{0}"))
    #expect(!page.contains("nan") && !page.contains("inf\""))
  }

  /// Words of the hostile labels that are allowed as text.
  private static func isText(_ word: String, in page: String) -> Bool {
    page.contains("&lt;img src=") && ["src=", "href="].contains(word)
  }

  /// Every element is closed where it must be, and attributes have no stray quotes.
  @Test(arguments: pages.indices)
  func isWellFormed(index: Int) {
    let page = Self.pages[index].drop { $0 != "\n" }
    var open: [Substring] = []
    for tag in page.matches(of: /<(\/?)([a-zA-Z0-9]+)((?:\s+[a-zA-Z-]+="[^"<>]*")*)\s*(\/?)>/) {
      let name = tag.output.2
      if name == "meta" || !tag.output.4.isEmpty { continue }
      if tag.output.1.isEmpty { open.append(name) } else { #expect(open.popLast() == name) }
    }
    #expect(open.isEmpty)
    let withoutTags = page.replacing(/<\/?[a-zA-Z0-9]+(?:\s+[a-zA-Z-]+="[^"<>]*")*\s*\/?>/, with: "")
      .replacing("figure>svg", with: "")
    #expect(!withoutTags.contains("<") && !withoutTags.contains(">"))
  }

  @Test func labelsStayText() {
    let page = Self.pages[1]
    #expect(page.contains("&lt;/title&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&#39; onload=x"))
    #expect(page.contains("&lt;link rel=stylesheet href=//evil.example&gt;?</code>"))
  }

  @Test func ratiosToTheFirstRun() throws {
    var first = RunResult(
      label: "first", target: "t", mode: .closed, connections: 1, threads: 1, startUnixSeconds: 0,
      durationNanoseconds: 1_000_000_000)
    first.tally.responses = 1000
    first.latency.record(nanoseconds: 1_000_000, count: 1000)
    var second = first
    second.label = "second"
    second.tally.responses = 2000
    second.latency.reset()
    second.latency.record(nanoseconds: 3_000_000, count: 2000)
    let page = HTMLReport.page([first, second])
    #expect(page.contains("× is the ratio to first."))
    #expect(page.contains("<td>answers per second</td><td>1,000</td><td>2,000 <span class=\"ratio better\">×2.00</span></td>"))
    #expect(page.contains("<td>latency p50</td><td>1.00 ms</td><td>3.00 ms <span class=\"ratio worse\">×3.00</span></td>"))
    #expect(page.contains("<td>latency p99.9</td><td class=\"soft\">–</td><td class=\"soft\">–</td>"))
  }

  @Test(arguments: [
    (0, ["Latency by percentile", "Throughput over time", "Latency over time"]),
    (1, ["Latency by percentile", "Throughput over time", "p50 over time", "p99 over time", "p99.9 over time"]),
    (3, ["Answered by intended rate", "p99 by intended rate", "Latency by percentile"]),
  ])
  func charts(index: Int, titles: [String]) {
    for title in titles { #expect(Self.pages[index].contains("<figcaption>\(title)<")) }
  }

  @Test func kneesAreRinged() {
    #expect(Self.pages[3].contains("<circle class=\"ring\""))
    #expect(!Self.pages[0].contains("<circle class=\"ring\""))
  }

  @Test func handshakesAndCalls() {
    var fixture = RunFixture(seed: 2)
    var run = fixture.run(label: "r", seconds: 2, rate: 10)
    #expect(!HTMLReport.page([run]).contains("handshake") && !HTMLReport.page([run]).contains("grpc-status"))
    run.tally.tls.handshakes = 30
    run.handshakeTime.record(nanoseconds: 310_000, count: 30)
    run.tally.grpcStatuses.add(0, 5)
    run.tally.grpcStatuses.add(8, 15)
    let page = HTMLReport.page([run])
    #expect(page.contains("<td>TLS handshakes per second</td><td>15"))
    #expect(page.contains("<td>handshake time p50</td><td>310 µs"))
    #expect(page.contains("<h2>Calls by grpc-status</h2>") && page.contains("<td>8 RESOURCE_EXHAUSTED</td><td>15"))
  }

  @Test func emptyStatesSaySo() {
    #expect(Self.pages[5].contains("Nothing was answered."))
    #expect(Self.pages[5].contains("Not one request was answered."))
    #expect(Self.pages[6].contains("No runs."))
    #expect(Self.pages[4].contains("No request failed."))
  }

  @Test func labelsAreMadeDistinct() {
    var fixture = RunFixture(seed: 1)
    var run = fixture.run(label: "a", seconds: 1, rate: 1)
    var other = run
    other.label = ""
    #expect(HTMLReport.named([run, run, other]).map(\.label) == ["a", "a (2)", "http://127.0.0.1:8080/item"])
    run.label = "a (2)"
    #expect(HTMLReport.named([run]).map(\.label) == ["a (2)"])
  }

  /// Every point lies inside of the frame.
  @Test(arguments: pages.indices)
  func nothingIsDrawnOutside(index: Int) {
    for match in Self.pages[index].matches(of: /[ML]([0-9.]+) ([0-9.]+)/) {
      let x = Double(match.output.1) ?? -1
      let y = Double(match.output.2) ?? -1
      #expect((0...560).contains(x) && (0...300).contains(y))
    }
  }
}
