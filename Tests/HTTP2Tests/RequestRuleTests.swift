import HTTP2
import HTTP2Harness
import HTTPCore
import Testing

/// RFC 9113 section 8, and what HTTP/1 would read differently: every row is refused, whether its
/// fields are literals or come from the dynamic table.
@Suite struct RequestRuleTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let fields: [(String, String)]
    var ends = true
    var allowsConnect = false
  }

  private static let pseudo = [
    (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"),
  ]

  private static func with(_ name: String, _ value: String) -> [(String, String)] {
    pseudo.map { $0.0 == name ? (name, value) : $0 }
  }

  private static func without(_ name: String) -> [(String, String)] {
    pseudo.filter { $0.0 != name }
  }

  static let refused: [Row] = {
    var rows: [Row] = []
    func row(_ name: String, _ fields: [(String, String)], ends: Bool = true) {
      rows.append(Row(testDescription: name, fields: fields, ends: ends))
    }
    for name in [":method", ":scheme", ":path"] { row("no \(name)", without(name)) }
    row("neither :authority nor host", without(":authority"))
    for (name, value) in pseudo { row("two \(name)", pseudo + [(name, value)]) }
    row("late pseudo-header", without(":path") + [("x", "y"), (":path", "/")])
    row("unknown pseudo-header", pseudo + [(":x", "y")])
    row(":status in a request", pseudo + [(":status", "200")])
    row(":protocol without the setting", with(":method", "CONNECT") + [(":protocol", "websocket")])

    for path in [
      "", "*", "a", "http://a/", "/a b", "/a\tb", "/#", "/a#b", "/\u{80}", "/\u{7F}", "/\r\nx: y",
      "/\u{0}", " /", "/ ",
    ] { row(":path \(path.debugDescription)", with(":path", path)) }
    for authority in [
      "", "u@a", "u:p@a", "a:x", "a:99999", "a/b", "a b", "a\r", ":80", "[::1", "a?b", "a#b",
    ] { row(":authority \(authority.debugDescription)", with(":authority", authority)) }
    for host in ["", "u@a", "a:x", "a b"] {
      row("host \(host.debugDescription)", pseudo + [("host", host)])
    }
    row("two hosts", without(":authority") + [("host", "a"), ("host", "a")])
    for method in ["", "GE T", "GET\r", "G\u{0}T", "G(T", String(repeating: "A", count: 33)] {
      row(":method \(method.debugDescription)", with(":method", method))
    }
    for scheme in ["", "1http", "ht tp"] {
      row(":scheme \(scheme.debugDescription)", with(":scheme", scheme))
    }
    for path in ["x", "http://b/", "*x"] {
      row(
        ":path \(path) of another scheme",
        [(":method", "GET"), (":scheme", "foo"), (":path", path), (":authority", "a")])
    }

    for name in ["", "A", "x y", "x:y", "x\r", "x\u{80}", "x\u{0}", ":"] {
      row("name \(name.debugDescription)", pseudo + [(name, "v")])
    }
    for value in ["a\rb", "a\nb", "a\u{0}b", " a", "a ", "\ta", "a\t", "a\u{1}", "a\u{7F}"] {
      row("value \(value.debugDescription)", pseudo + [("x", value)])
    }
    for (name, value) in [
      ("connection", "close"), ("keep-alive", "1"), ("proxy-connection", "close"),
      ("transfer-encoding", "chunked"), ("upgrade", "x"), ("te", "gzip"), ("te", "trailers, x"),
    ] { row("\(name): \(value)", pseudo + [(name, value)]) }
    for value in ["", "+1", " 1", "1 ", "1, 1", "-1", "9223372036854775808", "0x1", "1a"] {
      row(
        "content-length \(value.debugDescription)", pseudo + [("content-length", value)],
        ends: false)
    }
    row("two lengths", pseudo + [("content-length", "1"), ("content-length", "1")], ends: false)
    row("a length and no content", pseudo + [("content-length", "1")])

    row("CONNECT with :path", with(":method", "CONNECT"))
    row("CONNECT without authority", [(":method", "CONNECT")])
    row("CONNECT without port", [(":method", "CONNECT"), (":authority", "a")])
    for drop in [":scheme", ":path", ":authority"] {
      rows.append(
        Row(
          testDescription: "extended CONNECT without \(drop)",
          fields: with(":method", "CONNECT").filter { $0.0 != drop } + [(":protocol", "x")],
          allowsConnect: true))
    }
    rows.append(
      Row(
        testDescription: ":protocol with GET", fields: pseudo + [(":protocol", "x")],
        allowsConnect: true))
    return rows
  }()

  @Test(arguments: refused)
  func isRefused(_ row: Row) {
    for closes in [false, true] {
      var options = HTTP2Options()
      options.closesOnMalformed = closes
      options.allowsConnect = row.allowsConnect
      // The fields twice: the second time they come from the dynamic table. A request that is
      // refused leaves the table right.
      let indexed = row.fields.map { HeaderBlock.indexed([$0]) }
      let good = Wire.headers(5, HeaderBlock.request(), ends: true)
      for block in [HeaderBlock.literal(row.fields), Array(indexed.joined())] {
        let outcome = served(Wire.headers(1, block, ends: row.ends) + good, options)
        #expect(outcome.events.count == 3, "\(outcome)")
        #expect(outcome.events[1].hasPrefix("1 malformed"), "\(outcome)")
        if closes {
          #expect(outcome.events[2].hasPrefix("failed"), "\(outcome)")
          #expect(outcome.frames.last?.hasPrefix("GOAWAY 1 1 http2.") == true, "\(outcome)")
        } else {
          #expect(outcome.events[2].hasPrefix("5 head END"), "\(outcome)")
          #expect(outcome.frames.contains("1 RST 1"), "\(outcome)")
        }
      }
    }
  }

  static let accepted: [Row] = {
    var rows: [Row] = []
    func row(_ name: String, _ fields: [(String, String)], ends: Bool = true) {
      rows.append(Row(testDescription: name, fields: fields, ends: ends))
    }
    row("plain", pseudo)
    row("te: trailers", pseudo + [("te", "trailers")])
    row("OPTIONS *", [
      (":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), (":authority", "a"),
    ])
    row("another scheme", with(":scheme", "foo"))
    row("obs-text", pseudo + [("x", "\u{80}\u{FF}")])
    row("tab inside", pseudo + [("x", "a\tb")])
    row("empty value", pseudo + [("x", "")])
    row("token characters", pseudo + [("!#$%&'*+-.^_`|~", "v")])
    row("authority with port", with(":authority", "a:80"))
    row("IPv6", with(":authority", "[::1]:80"))
    row("length", pseudo + [("content-length", "9223372036854775807")], ends: false)
    row("CONNECT", [(":method", "CONNECT"), (":authority", "a:443")], ends: false)
    return rows
  }()

  @Test(arguments: accepted)
  func isAccepted(_ row: Row) {
    let outcome = served(Wire.headers(1, HeaderBlock.literal(row.fields), ends: row.ends))
    #expect(outcome.events.count == 2 && outcome.events[1].hasPrefix("1 head"), "\(outcome)")
  }

  @Test func hostAndAuthority() {
    let alone = served(
      Wire.headers(
        1,
        HeaderBlock.literal(Self.without(":authority") + [("x", "1"), ("host", "b:1"), ("y", "2")]),
        ends: true))
    #expect(
      alone.events[1]
        == "1 head END [:method: GET, :scheme: http, :path: /, x: 1, :authority: b:1, y: 2]")
    let both = served(
      Wire.headers(1, HeaderBlock.literal(Self.pseudo + [("host", "b")]), ends: true))
    #expect(
      both.events[1] == "1 head END [:method: GET, :scheme: http, :path: /, :authority: a]")
  }

  @Test func extendedConnect() {
    var options = HTTP2Options()
    options.allowsConnect = true
    let fields = Self.with(":method", "CONNECT") + [(":protocol", "websocket")]
    let outcome = served(
      Wire.headers(1, HeaderBlock.literal(fields)) + Wire.data(1, [1, 2]) + Wire.data(1, [], ends: true),
      options)
    #expect(outcome.frames.first == "SETTINGS [3=1024 4=16777216 6=64640 8=1 9=1]")
    #expect(
      outcome.events == [
        "settings",
        "1 head extended [:method: CONNECT, :scheme: http, :path: /, :authority: a, :protocol: websocket]",
        "1 data 2 END",
      ])
  }

  /// RFC 9113 section 8.5: nothing but DATA on a tunnel.
  @Test func trailersOnATunnel() {
    let outcome = served(
      Wire.headers(1, HeaderBlock.literal([(":method", "CONNECT"), (":authority", "a:1")]))
        + Wire.data(1, [1])
        + Wire.headers(1, HeaderBlock.literal([("x", "y")]), ends: true), .lenient)
    #expect(
      outcome.events == [
        "settings", "1 head [:method: CONNECT, :authority: a:1]", "1 data 1",
        "1 malformed messagingRule",
      ])
    #expect(outcome.frames.contains("1 RST 1"))
  }

  /// What follows CONNECT is no content: a length says nothing of it (RFC 9110 section 9.3.6).
  @Test func lengthOfATunnel() {
    let outcome = served(
      Wire.headers(1, HeaderBlock.literal([(":method", "CONNECT"), (":authority", "a:1"), ("content-length", "1")]))
        + Wire.data(1, [1, 2, 3], ends: true))
    #expect(
      outcome.events == [
        "settings", "1 head [:method: CONNECT, :authority: a:1]", "1 data 3 END",
      ])
    // The library holds extended CONNECT to it, and so do we: what is refused must not depend on how the input is cut.
    var options = HTTP2Options()
    options.allowsConnect = true
    let fields = Self.with(":method", "CONNECT") + [(":protocol", "websocket"), ("content-length", "1")]
    let extended = served(Wire.headers(1, HeaderBlock.literal(fields)) + Wire.data(1, [1, 2, 3], ends: true), options)
    #expect(extended.events.last == "1 malformed bodyLength")
  }

  @Test func expectContinue() {
    let outcome = served(
      Wire.headers(1, HeaderBlock.request(more: [("expect", "100-Continue")])))
    #expect(outcome.events[1].hasPrefix("1 head continue ["))
  }

  @Test func h2cUpgradeIsIgnored() {
    let outcome = served(
      Wire.headers(1, HeaderBlock.request(more: [("http2-settings", "x")]), ends: true))
    #expect(outcome.events[1].hasSuffix(":authority: a]"))
  }

  @Test func underscores() {
    let request = Wire.headers(
      1, HeaderBlock.request(more: [("a_b", "1"), ("c", "2")]), ends: true)
    var options = HTTP2Options()
    #expect(served(request, options).events[1].hasSuffix("a_b: 1, c: 2]"))
    options.underscores = .drop
    let dropped = served(request, options)
    #expect(dropped.events[1].hasSuffix(":authority: a, c: 2]"))
    #expect(dropped.counters.underscoreFieldsDropped == 1)
    options.underscores = .reject
    let rejected = served(request + Wire.headers(3, HeaderBlock.request(), ends: true), options)
    // The stream only, whatever the options say of malformed messages.
    #expect(rejected.events[1].hasPrefix("1 malformed underscoreName"))
    #expect(rejected.events[2].hasPrefix("3 head"))
  }

  @Test func obsText() {
    var options = HTTP2Options()
    options.refusesObsText = true
    let outcome = served(
      Wire.headers(1, HeaderBlock.request(more: [("x", "\u{80}")]), ends: true), options)
    #expect(outcome.events[1].hasPrefix("1 malformed invalidField"))
    #expect(outcome.events[2] == "failed invalidField 1")
  }

  // MARK: Trailers

  @Test func trailers() {
    let head = Wire.headers(1, HeaderBlock.request("POST"))
    let good = served(
      head + Wire.data(1, [1, 2, 3]) + Wire.headers(1, HeaderBlock.literal([("x", "y")]), ends: true))
    #expect(good.events.suffix(2) == ["1 data 3", "1 trailers [x: y]"])
    #expect(good.counters.trailers == 1)
    for fields in [
      [(":path", "/")], [("X", "y")], [("x", "a\rb")], [("connection", "close")], [("te", "x")],
    ] {
      let bad = served(
        head + Wire.headers(1, HeaderBlock.literal(fields), ends: true), .lenient)
      #expect(bad.events.last?.hasPrefix("1 malformed") == true, "\(bad)")
    }
    let open = served(head + Wire.headers(1, HeaderBlock.literal([("x", "y")])), .lenient)
    #expect(open.events.last == "1 malformed messagingRule")
  }

  /// RFC 9113 section 8.1.1; a stream error whatever the options say.
  @Test func bodyLengths() {
    let head = Wire.headers(1, HeaderBlock.request("POST", more: [("content-length", "5")]))
    let five: [UInt8] = [1, 2, 3, 4, 5]
    for padding in [nil, 0, 7] as [Int?] {
      let exact = served(head + Wire.data(1, five, ends: true, padding: padding))
      #expect(exact.events.last == "1 data 5 END")
      let later = served(
        head + Wire.data(1, five, padding: padding) + Wire.data(1, [], ends: true, padding: padding))
      #expect(later.events.last == "1 data 5 END")
      let long = served(
        head + Wire.data(1, five, padding: padding) + Wire.data(1, [6], padding: padding)
          + Wire.data(1, [7]))
      #expect(long.events.suffix(2) == ["1 data 5", "1 malformed bodyLength"], "\(long)")
      #expect(long.frames.contains("1 RST 1"))
      // Nothing of a frame that is too long gets through.
      let longer = served(head + Wire.data(1, five + five, ends: true, padding: padding))
      #expect(longer.events.last == "1 malformed bodyLength")
      let short = served(head + Wire.data(1, [1], ends: true, padding: padding))
      #expect(short.events.last == "1 malformed bodyLength")
    }
    let trailers = served(
      head + Wire.data(1, [1]) + Wire.headers(1, HeaderBlock.literal([("x", "y")]), ends: true),
      .lenient)
    #expect(trailers.events.last == "1 malformed messagingRule")
  }
}
