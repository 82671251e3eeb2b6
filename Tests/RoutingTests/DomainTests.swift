import Routing
import Testing

@Suite struct DomainTests {
  static let domains: [(String, [String])] = [
    ("exact", ["www.foo.com", "with.port:8080"]),
    ("suffix", ["*.foo.com"]),
    ("long suffix", ["*-bar.foo.com"]),
    ("prefix", ["foo.*"]),
    ("long prefix", ["foo.bar.*"]),
    ("odd", ["a*b", "UPPER.com"]),
    ("all", ["*"]),
  ]

  static func make(withAll: Bool = true, ignoringPort: Bool = false) throws -> RouteTable {
    let hosts = domains.filter { withAll || $0.0 != "all" }.map { name, domains in
      var host = VirtualHostSpec(name: name, domains: domains)
      host.routes = [respond(name, RouteMatchSpec(path: .prefix("/")))]
      return host
    }
    return try table(hosts) { $0.ignoresPortInHost = ignoringPort }
  }

  @Test(arguments: [
    ("www.foo.com", "exact"), ("WWW.Foo.COM", "exact"), ("www.foo.com:80", "all"),
    ("with.port:8080", "exact"), ("with.port", "all"),
    ("x.foo.com", "suffix"), ("x-bar.foo.com", "long suffix"), ("-bar.foo.com", "suffix"),
    (".foo.com", "all"), ("foo.com", "prefix"), ("foo.", "all"), ("foo.x", "prefix"),
    ("foo.bar.x", "long prefix"), ("FOO.BAR.X", "long prefix"), ("foo.bar.", "prefix"),
    ("a*b", "odd"), ("axb", "all"), ("upper.com", "odd"), ("", "all"),
  ])
  func chooses(host: String, want: String) throws {
    #expect(routeName(try Self.make(), TestRequest(host: host)) == want)
  }

  @Test func withoutCatchAll() throws {
    let table = try Self.make(withAll: false)
    #expect(routeName(table, TestRequest(host: "nobody")) == "no host")
    #expect(routeName(table, TestRequest(host: nil)) == "no host")
  }

  @Test(arguments: [
    ("www.foo.com:1", "exact"), ("x.foo.com:99", "suffix"), ("with.port:8080", "all"),
    ("www.foo.com:x", "prefix-less"),
  ])
  func ignoresPorts(host: String, want: String) throws {
    let table = try Self.make(ignoringPort: true)
    #expect(routeName(table, TestRequest(host: host)) == (want == "prefix-less" ? "all" : want))
  }

  @Test func refusesDuplicates() throws {
    let error = #expect(throws: RoutingErrors.self) {
      try table([
        VirtualHostSpec(name: "a", domains: ["x", "*"]),
        VirtualHostSpec(name: "b", domains: ["X", "*"]),
        VirtualHostSpec(name: "a", domains: []),
      ])
    }
    #expect(
      error?.errors.map(\.path) == [
        "virtual_hosts[1].domains[0]", "virtual_hosts[1].domains[1]", "virtual_hosts[2].name",
        "virtual_hosts[2].domains",
      ])
  }

  @Test(arguments: [
    (VirtualHostSpec.TLSRequirement.all, "http", true, "tls"),
    (.all, "https", false, "r"), (.all, nil, false, "no route"),
    (.externalOnly, "http", true, "r"), (.externalOnly, "http", false, "tls"),
    (.none, nil, false, "r"),
  ] as [(VirtualHostSpec.TLSRequirement, String?, Bool, String)])
  func requiresTLS(
    requirement: VirtualHostSpec.TLSRequirement, scheme: String?, isInternal: Bool, want: String
  ) throws {
    var host = VirtualHostSpec(name: "h", domains: ["*"])
    host.requireTLS = requirement
    host.routes = [respond("r", RouteMatchSpec(path: .prefix("/")))]
    var request = TestRequest()
    if let scheme { request.headers = [("x-forwarded-proto", scheme)] }
    request.isInternal = isInternal
    #expect(routeName(try table([host]), request) == want)
  }

  @Test func manyHosts() throws {
    let hosts = (0..<3000).map { i in
      var host = VirtualHostSpec(name: "h\(i)", domains: ["h\(i).example", "*.h\(i).example"])
      host.routes = [respond("r\(i)", RouteMatchSpec(path: .prefix("/")))]
      return host
    }
    let table = try table(hosts)
    for i in stride(from: 0, to: 3000, by: 7) {
      #expect(routeName(table, TestRequest(host: "h\(i).example")) == "r\(i)")
      #expect(routeName(table, TestRequest(host: "a.b.h\(i).example")) == "r\(i)")
    }
  }
}
