import Format
import HTTPCore
import Primitives
import Routing
import Testing

enum Redirects {
  static func redirect(_ change: (inout RedirectSpec) -> Void) -> RouteActionSpec {
    var spec = RedirectSpec()
    change(&spec)
    return .redirect(spec)
  }

  /// Every row was measured on Envoy 1.40 with `host: bar.org:80` over http.
  static let rows: [(RouteMatchSpec.Path, RouteActionSpec, String, String)] = [
    (.prefix("/r1/"), redirect { $0.scheme = .https }, "/r1/zz?k=v", "https://bar.org/r1/zz?k=v"),
    (.prefix("/r2/"), redirect { $0.port = 99 }, "/r2/zz?k=v", "http://bar.org:99/r2/zz?k=v"),
    (
      .prefix("/r3/"),
      redirect {
        $0.host = "h.com"
        $0.path = .rewrite(.prefix("/new/"))
      }, "/r3/zz?k=v", "http://h.com/new/zz?k=v"
    ),
    (.prefix("/r4/"), redirect { $0.path = .replace("/p") }, "/r4/zz?k=v", "http://bar.org:80/p?k=v"),
    (.prefix("/r5/"), redirect { $0.path = .replace("/p?x=1") }, "/r5/?k=v", "http://bar.org:80/p?x=1"),
    (
      .prefix("/r6/"),
      redirect {
        $0.path = .replace("/p?x=1")
        $0.stripsQuery = true
      }, "/r6/zz?k=v", "http://bar.org:80/p?x=1"
    ),
    (
      .prefix("/r7/"),
      redirect {
        $0.path = .rewrite(.prefix("/n/"))
        $0.stripsQuery = true
      }, "/r7/zz?k=v", "http://bar.org:80/n/zz"
    ),
    (
      .prefix("/r8/"),
      redirect {
        $0.path = .rewrite(
          .regex(RegexRewriteSpec(pattern: "^/r8/(\\w+)", substitution: "/n/\\1?y=1")))
      }, "/r8/zz?k=v", "http://bar.org:80/n/zz?y=1?k=v"
    ),
    (
      .prefix("/r9/"),
      redirect {
        $0.scheme = .named("ftp")
        $0.path = .replace("/p?x")
        $0.stripsQuery = true
      }, "/r9/zz?k=v", "ftp://bar.org/p?x"
    ),
    (.regex("/ra/.*"), redirect { $0.path = .rewrite(.prefix("/n")) }, "/ra/x?k", "http://bar.org:80/n?k"),
    (.exact("/RB"), redirect { $0.path = .rewrite(.prefix("/n")) }, "/RB?k", "http://bar.org:80/n?k"),
    (
      .separatedPrefix("/rc"), redirect { $0.path = .rewrite(.prefix("/n")) }, "/rc/y?k",
      "http://bar.org:80/n/y?k"
    ),
  ]
}

@Suite struct ActionTests {
  @Test(arguments: 0..<Redirects.rows.count)
  func redirects(row: Int) throws {
    let (match, action, path, want) = Redirects.rows[row]
    let table = try table(routes: [RouteSpec(match: RouteMatchSpec(path: match), action: action)])
    let request = TestRequest(host: "bar.org:80", path: path)
    let found = findMatch(table, request)
    withRequest(request) { host, path, _, arena in
      let location = table.lookup.redirectLocation(
        route: found.route, scheme: ByteView("http"), host: host ?? .empty, path: path ?? .empty,
        arena: &arena.pointee)
      #expect(location.string == want)
    }
  }

  @Test(arguments: [
    ("[::1]", "http", 0, "https://[::1]/"), ("[::1]:80", "http", 0, "https://[::1]/"),
    ("[::1]:8080", "http", 99, "https://[::1]:99/"), ("h:443", "https", 0, "https://h:443/"),
    ("h:8080", "http", 0, "https://h:8080/"),
  ] as [(String, String, UInt32, String)])
  func redirectHosts(host: String, scheme: String, port: UInt32, want: String) throws {
    let action = Redirects.redirect {
      $0.scheme = .https
      $0.port = port
    }
    let table = try table(
      routes: [RouteSpec(match: RouteMatchSpec(path: .prefix("/")), action: action)])
    withRequest(TestRequest(host: host)) { host, path, _, arena in
      let location = table.lookup.redirectLocation(
        route: 0, scheme: bytes(scheme, &arena.pointee), host: host ?? .empty,
        path: path ?? .empty, arena: &arena.pointee)
      #expect(location.string == want)
      #expect(
        RouteLookup.tlsRedirectLocation(
          host: ByteView("h:1"), path: ByteView("/a?b"), arena: &arena.pointee)
          == "https://h:1/a?b")
    }
  }

  static func forward(_ change: (inout ForwardSpec) -> Void = { _ in }) -> RouteActionSpec {
    var spec = ForwardSpec(target: .cluster(7))
    change(&spec)
    return .route(spec)
  }

  @Test(arguments: [
    (.prefix("/a"), .prefix("/b"), "/a/x?q", "/b/x?q"), (.prefix("/a/"), .prefix("/"), "/a/x", "/x"),
    (.exact("/a"), .prefix("/b"), "/a?q", "/b?q"), (.regex("/a.*"), .prefix("/b"), "/axx?q", "/b?q"),
    (
      .prefix("/"), .regex(RegexRewriteSpec(pattern: "/v(\\d)", substitution: "/\\1/\\0")),
      "/v1/v2?/v3", "/1//v1/2//v2?/v3"
    ),
    (.prefix("/"), .regex(RegexRewriteSpec(pattern: "x*", substitution: "-")), "/xa", "-/-a-"),
    (.prefix("/"), nil, "/a?q", "unchanged"),
  ] as [(RouteMatchSpec.Path, PathRewriteSpec?, String, String)])
  func pathRewrites(
    match: RouteMatchSpec.Path, rewrite: PathRewriteSpec?, path: String, want: String
  ) throws {
    let action = Self.forward { $0.pathRewrite = rewrite }
    let table = try table(routes: [RouteSpec(match: RouteMatchSpec(path: match), action: action)])
    let request = TestRequest(path: path)
    let found = findMatch(table, request)
    withRequest(request) { _, path, _, arena in
      let result = table.lookup.rewrittenPath(
        route: found.route, path: path ?? .empty, arena: &arena.pointee)
      #expect((result?.string ?? "unchanged") == want)
    }
  }

  @Test(arguments: [
    (.literal("new"), "new"), (.header("x-h"), "from header"), (.header("none"), nil), (nil, nil),
    (.automatic, nil),
    (.pathRegex(RegexRewriteSpec(pattern: "^/(\\w+)/.*", substitution: "\\1.com")), "t1.com"),
  ] as [(HostRewriteSpec?, String?)])
  func hostRewrites(rewrite: HostRewriteSpec?, want: String?) throws {
    let action = Self.forward { $0.hostRewrite = rewrite }
    let table = try table(
      routes: [RouteSpec(match: RouteMatchSpec(path: .prefix("/")), action: action)])
    withRequest(TestRequest(path: "/t1/x?q", headers: [("x-h", "from header")])) {
      _, path, headers, arena in
      let result = table.lookup.rewrittenHost(
        route: 0, path: path ?? .empty, headers: UnsafePointer(headers), arena: &arena.pointee)
      #expect(result?.string == want)
    }
  }

  @Test func weightedClusters() throws {
    var heavy = WeightedClusterSpec(cluster: 2, weight: 70)
    heavy.hostRewriteLiteral = "heavy"
    let action = RouteActionSpec.route(
      ForwardSpec(
        target: .weighted(
          [
            WeightedClusterSpec(cluster: 1, weight: 30), WeightedClusterSpec(cluster: 9, weight: 0),
            heavy,
          ], header: "x-pick")))
    let table = try table(
      routes: [RouteSpec(match: RouteMatchSpec(path: .prefix("/")), action: action)])
    func pick(_ random: UInt64, _ headers: [(String, String)] = []) -> UInt32 {
      withRequest(TestRequest(headers: headers)) { _, _, headers, _ in
        let index = table.lookup.chooseWeightedCluster(
          route: 0, random: random, headers: UnsafePointer(headers))
        return table.lookup.weightedCluster(index).pointee.cluster
      }
    }
    for value in 0..<200 as Range<UInt64> { #expect(pick(value) == (value % 100 < 30 ? 1 : 2)) }
    #expect(pick(.max) == (UInt64.max % 100 < 30 ? 1 : 2))
    #expect(pick(0, [("x-pick", "30")]) == 2)
    #expect(pick(0, [("x-pick", "junk")]) == 1)
  }

  @Test(arguments: [
    (false, ["l: cluster", "l: route", "l: host", "l: table"]),
    (true, ["l: table", "l: host", "l: route", "l: cluster"]),
  ])
  func mutationOrder(mostSpecificWins: Bool, want: [String]) throws {
    func adding(_ value: String) -> HeaderMutationSpec {
      HeaderMutationSpec(additions: [.init(name: "l", value: value)])
    }
    var cluster = WeightedClusterSpec(cluster: 0, weight: 1)
    cluster.requestMutations = adding("cluster")
    cluster.responseMutations = adding("cluster")
    var route = RouteSpec(
      match: RouteMatchSpec(path: .prefix("/")),
      action: .route(ForwardSpec(target: .weighted([cluster], header: nil))))
    route.requestMutations = adding("route")
    route.responseMutations = adding("route")
    var host = VirtualHostSpec(name: "h", domains: ["*"])
    host.routes = [route]
    host.requestMutations = adding("host")
    host.responseMutations = adding("host")
    let table = try table([host]) {
      $0.requestMutations = adding("table")
      $0.responseMutations = adding("table")
      $0.mostSpecificHeaderMutationsWins = mostSpecificWins
    }
    var stream = StreamInfo()
    for cluster in [-1, 0] as [Int32] {
      for isRequest in [true, false] {
        withRequest(TestRequest()) { _, _, headers, arena in
          let context = withUnsafePointer(to: &stream) { FormatContext(stream: $0) }
          if isRequest {
            table.lookup.mutateRequest(
              route: 0, weightedCluster: cluster, headers: headers, arena: arena, context: context)
          } else {
            table.lookup.mutateResponse(
              route: 0, weightedCluster: cluster, headers: headers, arena: arena, context: context)
          }
          let lines = (0..<headers.pointee.slotCount).compactMap {
            let field = headers.pointee[slot: $0]
            return field.name == "l" ? "l: " + field.value.string : nil
          }
          #expect(lines == want.filter { cluster >= 0 || $0 != "l: cluster" })
        }
      }
    }
  }

  @Test func filterConfigsAndVirtualClusters() throws {
    var cluster = WeightedClusterSpec(cluster: 0, weight: 1)
    cluster.filterConfigs = [FilterConfigSpec(filterName: "a", slot: 40)]
    var route = RouteSpec(
      match: RouteMatchSpec(path: .prefix("/")),
      action: .route(ForwardSpec(target: .weighted([cluster], header: nil))))
    route.filterConfigs = [FilterConfigSpec(filterName: "b", slot: 31)]
    var host = VirtualHostSpec(name: "h", domains: ["*"])
    host.routes = [route]
    host.filterConfigs = [
      FilterConfigSpec(filterName: "a", slot: 20), FilterConfigSpec(filterName: "b", slot: 21),
    ]
    host.virtualClusters = [
      VirtualClusterSpec(
        name: "users",
        headers: [
          HeaderMatcherSpec(name: ":path", kind: .string(.prefix("/users"), ignoresCase: false))
        ])
    ]
    let table = try table([host]) {
      $0.filterConfigs = [FilterConfigSpec(filterName: "c", slot: 10)]
    }
    func slot(_ name: String, _ cluster: Int32 = -1) -> UInt32? {
      table.filterNumber(name).flatMap {
        table.lookup.filterConfig(route: 0, weightedCluster: cluster, filter: $0)
      }
    }
    #expect([slot("a"), slot("b"), slot("c"), slot("d")] == [20, 31, 10, nil])
    #expect([slot("a", 0), slot("b", 0)] == [40, 31])
    for (path, want) in [("/users/1", 0), ("/x", -1)] as [(String, Int32)] {
      withRequest(TestRequest(path: path)) { _, _, headers, _ in
        let found = table.lookup.virtualCluster(virtualHost: 0, headers: UnsafePointer(headers))
        #expect(found == want)
        if found >= 0 { #expect(table.lookup.virtualClusterName(found) == "users") }
      }
    }
  }

  @Test func reportsAllErrorsWithTheirPlaces() throws {
    var bad = RouteMatchSpec(path: .regex("a("))
    bad.headers = [
      HeaderMatcherSpec(name: "a b", kind: .range(start: 2, end: 2)),
      HeaderMatcherSpec(name: "x", kind: .string(.regex("["), ignoresCase: false)),
    ]
    var host = VirtualHostSpec(name: "h", domains: ["*"])
    var first = RouteSpec(match: bad, action: .directResponse(status: 99, body: [1, 2, 3]))
    first.responseMutations = HeaderMutationSpec(
      additions: [.init(name: "x", value: "%NOPE%")], removals: ["host"])
    host.routes = [
      first,
      RouteSpec(
        match: RouteMatchSpec(path: .separatedPrefix("/a/")),
        action: Self.forward {
          $0.target = .weighted([WeightedClusterSpec(cluster: 0, weight: 0)], header: nil)
          $0.pathRewrite = .regex(RegexRewriteSpec(pattern: "a", substitution: "\\1"))
        }),
    ]
    host.requestMutations = HeaderMutationSpec(additions: [.init(name: ":path", value: "")])
    let error = #expect(throws: RoutingErrors.self) {
      try table([host]) { $0.directResponseBodyBytesMax = 2 }
    }
    #expect(
      Set(error?.errors.map(\.path) ?? []) == [
        "virtual_hosts[0].request_headers_to_add[0].header.key",
        "virtual_hosts[0].routes[0].match.safe_regex.regex",
        "virtual_hosts[0].routes[0].match.headers[0].name",
        "virtual_hosts[0].routes[0].match.headers[0].range_match",
        "virtual_hosts[0].routes[0].match.headers[1].string_match.safe_regex.regex",
        "virtual_hosts[0].routes[0].response_headers_to_add[0].header.value",
        "virtual_hosts[0].routes[0].direct_response.status",
        "virtual_hosts[0].routes[0].direct_response.body",
        "virtual_hosts[0].routes[1].match.path_separated_prefix",
        "virtual_hosts[0].routes[1].route.weighted_clusters",
        "virtual_hosts[0].routes[1].route.regex_rewrite.substitution",
      ])
    #expect(error?.description.contains("missing )") == true)
  }
}
