import Primitives
import Routing
import Testing

@Suite struct RouteMatchTests {
  @Test(arguments: [
    ("/exact", "exact"), ("/exact?q=1", "exact"), ("/exact/", "rest"), ("/EXACT", "rest"),
    ("/Any", "any"), ("/aNy?x", "any"), ("/anything", "rest"),
    ("/sep", "sep"), ("/sep/x", "sep"), ("/sep?x", "sep"), ("/separate", "rest"),
    ("/re/12", "regex"), ("/re/12/x", "rest"), ("/re/12?x", "regex"),
    ("/pre", "prefix"), ("/prefix/x", "prefix"), ("/PREfix", "folded"), ("/", "rest"),
    ("/exact#f", "exact"),
  ])
  func paths(path: String, want: String) throws {
    var any = RouteMatchSpec(path: .exact("/aNY"))
    any.isCaseSensitive = false
    var folded = RouteMatchSpec(path: .prefix("/pRe"))
    folded.isCaseSensitive = false
    let table = try table(routes: [
      respond("exact", RouteMatchSpec(path: .exact("/exact"))), respond("any", any),
      respond("sep", RouteMatchSpec(path: .separatedPrefix("/sep"))),
      respond("regex", RouteMatchSpec(path: .regex("/re/\\d+"))),
      respond("prefix", RouteMatchSpec(path: .prefix("/pre"))), respond("folded", folded),
      respond("connect", RouteMatchSpec(path: .connect)),
      respond("rest", RouteMatchSpec(path: .prefix("/"))),
    ])
    #expect(routeName(table, TestRequest(path: path)) == want)
    let connect = TestRequest(path: nil, headers: [(":method", "CONNECT")])
    #expect(routeName(table, connect) == "connect")
    #expect(routeName(table, TestRequest(path: nil)) == "no route")
  }

  @Test(arguments: [
    (nil, nil, ["", "p", "pv"]), (true, nil, ["p", "pv"]), (false, nil, [""]), (nil, true, ["pv"]),
    (nil, false, ["", "p"]), (true, false, ["p"]), (false, true, []), (true, true, ["pv"]),
  ] as [(Bool?, Bool?, [String])])
  func certificates(presented: Bool?, validated: Bool?, want: [String]) throws {
    var spec = RouteMatchSpec(path: .prefix("/"))
    spec.presentsCertificate = presented
    spec.hasValidCertificate = validated
    let table = try table(routes: [respond("it", spec), respond("else", RouteMatchSpec(path: .prefix("/")))])
    let states: [(String, ClientCertificate)] = [("", []), ("p", .presented), ("pv", [.presented, .validated])]
    let found = states.filter { routeName(table, TestRequest(certificate: $0.1)) == "it" }.map(\.0)
    #expect(found == want)
  }

  /// Measured on Envoy 1.40: the requests' header lines, then who matches.
  @Test(arguments: [
    (.string(.exact("a"), ignoresCase: false), false, false, ["a", "a,b", "b,a"]),
    (.string(.exact("a"), ignoresCase: false), true, false, ["b", "", "3", "9,3", "9", "a+b"]),
    (.range(start: 1, end: 5), false, false, ["3", "9,3"]),
    (.range(start: 1, end: 5), true, false, ["a", "b", "a,b", "b,a", "", "9", "a+b"]),
    (.string(.exact(""), ignoresCase: false), false, true, ["-", ""]),
    (
      .present(true), false, true,
      ["-", "a", "b", "a,b", "b,a", "", "3", "9,3", "9", "a+b"]
    ),
    (.string(.regex("a\\+b"), ignoresCase: false), false, false, ["a+b"]),
    (.present(true), true, false, ["-"]), (.present(false), false, false, ["-"]),
    (.string(.contains("A+"), ignoresCase: true), false, false, ["a+b"]),
    (.string(.prefix("A"), ignoresCase: true), false, false, ["a", "a,b", "b,a", "a+b"]),
    (.string(.suffix("b"), ignoresCase: false), false, false, ["b", "a,b", "b,a", "a+b"]),
  ] as [(HeaderMatcherSpec.Kind, Bool, Bool, Set<String>)])
  func headers(
    kind: HeaderMatcherSpec.Kind, inverts: Bool, treatsMissingAsEmpty: Bool, want: Set<String>
  ) throws {
    for name in ["m", "x-request-id", "host"] {
      var match = RouteMatchSpec(path: .prefix("/"))
      match.headers = [
        HeaderMatcherSpec(
          name: name, kind: kind, inverts: inverts, treatsMissingAsEmpty: treatsMissingAsEmpty)
      ]
      let table = try table(routes: [respond("yes", match)])
      // `-`: no such header; a comma separates repeated headers
      for lines in ["-", "a", "b", "a,b", "b,a", "", "3", "9,3", "9", "a+b"] {
        let values =
          lines == "-"
          ? [] : lines.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let key = name == "host" ? ":authority" : name
        let request = TestRequest(host: nil, headers: values.map { (key, $0) })
        let got = routeName(table, request) == "yes"
        #expect(got == want.contains(lines), "\(name): \(lines)")
      }
    }
  }

  @Test(arguments: [
    ("/q", "absent"), ("/q?a", "rest"), ("/q?a=b", "b"), ("/q?a=c&a=b", "rest"),
    ("/q?a=%62", "rest"), ("/q?x&a=b&y", "b"), ("/q?", "absent"), ("/q?aa=b", "absent"),
  ])
  func queryParameters(path: String, want: String) throws {
    var absent = RouteMatchSpec(path: .prefix("/q"))
    absent.queryParameters = [QueryParameterMatcherSpec(name: "a", kind: .present(false))]
    var exact = RouteMatchSpec(path: .prefix("/q"))
    exact.queryParameters = [
      QueryParameterMatcherSpec(name: "a", kind: .string(.exact("b"), ignoresCase: false))
    ]
    let table = try table(routes: [
      respond("absent", absent), respond("b", exact),
      respond("rest", RouteMatchSpec(path: .prefix("/"))),
    ])
    #expect(routeName(table, TestRequest(path: path)) == want)
  }

  @Test(arguments: [
    ("application/grpc", true), ("application/grpc+proto", true), ("application/grpc-web", false),
    ("application/json", false),
  ])
  func grpc(type: String, want: Bool) throws {
    var match = RouteMatchSpec(path: .prefix("/"))
    match.isGRPCOnly = true
    let table = try table(routes: [respond("yes", match)])
    let name = routeName(table, TestRequest(headers: [("content-type", type)]))
    #expect((name == "yes") == want)
  }

  @Test func fraction() throws {
    var match = RouteMatchSpec(path: .prefix("/"))
    match.runtimeFraction = .init(numerator: 30, denominator: 100)
    let table = try table(routes: [respond("yes", match)])
    let hits = (0..<1000 as Range<UInt64>).filter {
      routeName(table, TestRequest(random: $0)) == "yes"
    }
    #expect(hits.count == 300)
  }

  // MARK: The index equals trying all routes in order

  /// The rules of proxy-semantics 2.2 written out plainly.
  static func naive(_ routes: [RouteSpec], _ request: TestRequest) -> String {
    guard let target = request.path else { return "no route" }
    let path = String(target.prefix { $0 != "?" })
    for route in routes {
      let fold = { (text: String) in route.match.isCaseSensitive ? text : text.lowercased() }
      let matches =
        switch route.match.path {
        case .prefix(let text): fold(path).hasPrefix(fold(text))
        case .exact(let text): fold(path) == fold(text)
        case .separatedPrefix(let text):
          fold(path) == fold(text) || fold(path).hasPrefix(fold(text) + "/")
        case .regex(let text): path == "/" + text.dropFirst(3)
        case .connect: false
        }
      let rest = route.match.headers.allSatisfy { matcher in
        request.headers.contains { $0.0 == matcher.name }
      }
      if matches, rest { return route.name }
    }
    return "no route"
  }

  @Test(arguments: 0..<150 as Range<UInt64>)
  func equalsNaive(seed: UInt64) throws {
    var random = FastRandom(seed: seed)
    func word() -> String {
      String((0..<(1 + random.below(3))).map { _ in ["a", "b", "A", "/"][Int(random.below(4))] })
    }
    func path() -> String { "/" + (0..<random.below(4)).map { _ in word() }.joined() }
    let routes = (0..<Int(1 + random.below(60))).map { i in
      let text = path()
      let trimmed = text.hasSuffix("/") ? text + "a" : text
      var match = RouteMatchSpec(
        // The expression is a literal behind an empty group, which the reference cuts off.
        path: [
          .prefix(text), .exact(text), .separatedPrefix(trimmed), .regex("/()" + text.dropFirst()),
        ][Int(random.below(4))])
      match.isCaseSensitive = random.below(3) > 0
      if case .regex = match.path { match.isCaseSensitive = true }
      if random.below(3) == 0 {
        match.headers = [
          HeaderMatcherSpec(name: ["h1", "h2"][Int(random.below(2))], kind: .present(true))
        ]
      }
      return respond("r\(i)", match)
    }
    let table = try table(routes: routes)
    for _ in 0..<200 {
      var request = TestRequest(path: path() + (random.below(4) == 0 ? "?q" : ""))
      if random.below(2) == 0 { request.headers.append(("h1", "x")) }
      if random.below(2) == 0 { request.headers.append(("h2", "x")) }
      #expect(
        routeName(table, request) == Self.naive(routes, request),
        "seed \(seed) path \(request.path ?? "-") headers \(request.headers.map(\.0))")
    }
  }

  @Test func longChainsFallBackToOrder() throws {
    var routes: [RouteSpec] = []
    for i in (1...60).reversed() {
      var match = RouteMatchSpec(path: .prefix("/" + String(repeating: "a", count: i)))
      match.headers = [HeaderMatcherSpec(name: "h\(i)", kind: .present(true))]
      routes.append(respond("r\(i)", match))
    }
    let table = try table(routes: routes)
    let path = "/" + String(repeating: "a", count: 60)
    for i in 1...60 {
      let request = TestRequest(path: path, headers: [("h\(i)", "x")])
      #expect(routeName(table, request) == "r\(i)")
    }
    #expect(routeName(table, TestRequest(path: path)) == "no route")
  }
}
