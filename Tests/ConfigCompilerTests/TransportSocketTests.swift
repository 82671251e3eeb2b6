import ConfigCompiler
import ConfigLoader
import Proxy
import Testing

/// `transport_socket_matches` on their way from messages to what hosts know. With real hosts: `test_transport_socket_matches.py`.
@Suite struct TransportSocketTests {
  private static func tls(_ sni: String) -> String {
    "{ name: tls, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: \(sni) } }"
  }

  private static let raw =
    "{ name: raw, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer } }"

  private static func match(_ name: String, _ wanted: String, _ socket: String) -> String {
    "{ name: \(name), match: { \(wanted) }, transport_socket: \(socket) }"
  }

  /// - Parameter hosts: What their metadata say.
  private static func text(
    _ matches: [String], hosts: [String], locality: String = "", own: String = "", extra: String = ""
  ) -> String {
    func metadata(_ labels: String) -> String {
      labels.isEmpty ? "" : "metadata: { filter_metadata: { envoy.transport_socket_match: { \(labels) } } }, "
    }
    let endpoints = hosts.enumerated().map { index, labels in
      "{ \(metadata(labels))endpoint: { address: { socket_address: { address: 10.0.0.\(index + 1), port_value: 80 } } } }"
    }
    return Fixture.bootstrap(
      clusters: """
            - name: a
              transport_socket_matches: [\(matches.joined(separator: ", "))]
              load_assignment: { cluster_name: a, endpoints: [{ \(metadata(locality))lb_endpoints: [\(endpoints.joined(separator: ", "))] }] }
              \(own.isEmpty ? "" : "transport_socket: \(own)")
              \(extra)

        """)
  }

  private struct Known: Equatable {
    let identity: UInt64
    let match: String?
    /// Empty = plain.
    let name: String
  }

  /// Hosts as workers see them, with the name that their TLS asks for.
  private func hosts(_ bench: Bench) throws -> [Known] {
    let (config, set) = try #require(bench.compiler.hostSets.first)
    return withExtendedLifetime((config, set)) {
      set.value.hosts.array.map { host in
        let transports = config.value.transports.array
        let number = Int(host.value.transport)
        let transport = number < transports.count ? transports[number] : nil
        return Known(
          identity: host.value.identity, match: host.value.socketMatch?.text,
          name: transport.map { String(decoding: $0.slot.current.serverName, as: UTF8.self) } ?? "")
      }
    }
  }

  @Test func firstOfEndpointThenOfLocality() throws {
    var bench = try Bench()
    let matches = [
      Self.match("one", "a: 1", Self.tls("one")), Self.match("both", "a: 1, b: 2", Self.tls("both")),
      Self.match("plain", "b: 2", Self.raw), Self.match("place", "p: x", Self.tls("place")),
    ]
    let labels = ["a: 1", "a: 1, b: 2", "b: 2", "p: x, b: 2", "", "c: 3"]
    _ = try bench.compile(Self.text(matches, hosts: labels, own: Self.tls("own")))
    #expect(try hosts(bench).map(\.match) == ["one", "one", "plain", "plain", "default", "default"])
    #expect(try hosts(bench).map(\.name) == ["one", "one", "", "", "own", "own"])

    // The locality's count where nothing fits the endpoint's own, and only with the matches in their order.
    _ = try bench.compile(Self.text(matches, hosts: labels, locality: "p: x, b: 2", own: Self.tls("own")))
    #expect(try hosts(bench).map(\.match) == ["one", "one", "plain", "plain", "plain", "plain"])
    _ = try bench.compile(Self.text(matches, hosts: labels, locality: "p: x"))
    #expect(try hosts(bench).map(\.match) == ["one", "one", "plain", "plain", "place", "place"])
  }

  @Test func withoutMatchesThereIsNoChoice() throws {
    var bench = try Bench()
    _ = try bench.compile(Self.text([], hosts: ["a: 1"], own: Self.tls("own")))
    #expect(try hosts(bench).map(\.match) == [nil])
    #expect(try hosts(bench).map(\.name) == ["own"])
    #expect(bench.value("cluster.a.default.total_match_count") == nil)
    // The same socket: a choice where there was none takes nobody's connections.
    let before = try hosts(bench)[0].identity
    _ = try bench.compile(Self.text([Self.match("b", "b: 1", Self.raw)], hosts: ["a: 1"], own: Self.tls("own")))
    #expect(try hosts(bench) == [Known(identity: before, match: "default", name: "own")])
    #expect(bench.value("cluster.a.default.total_match_count") == 1)
    #expect(bench.value("cluster.a.b.total_match_count") == 0)
  }

  @Test func whoKeepsTheSocketKeepsConnections() throws {
    var bench = try Bench()
    let (x, w, z) = (Self.match("x", "v: x", Self.tls("x")), Self.match("w", "v: w", Self.tls("w")), Self.match("z", "v: z", Self.tls("z")))
    let labels = ["v: x", "v: w", ""]
    _ = try bench.compile(Self.text([x, w], hosts: labels))
    let first = try hosts(bench)
    #expect(first.map(\.name) == ["x", "w", ""])
    // Places among the matches do not count, nor others that come and go.
    for matches in [[w, x], [z, w, x], [x, z, w], [x, w]] {
      _ = try bench.compile(Self.text(matches, hosts: labels))
      #expect(try hosts(bench) == first)
    }
    // One goes, and the next that comes is not taken for it.
    _ = try bench.compile(Self.text([w, z], hosts: ["v: z", "v: w", ""]))
    let second = try hosts(bench)
    #expect(second.map(\.name) == ["z", "w", ""])
    #expect(second[0].identity != first[0].identity && second[1...] == first[1...])
    // A name is no socket.
    _ = try bench.compile(Self.text([Self.match("other", "v: w", Self.tls("w")), z], hosts: ["v: z", "v: w", ""]))
    let third = try hosts(bench)
    #expect(third.map(\.identity) == second.map(\.identity))
    #expect(third.map(\.match) == ["z", "other", "default"])
    // From plain to TLS by metadata.
    _ = try bench.compile(Self.text([w, z], hosts: ["v: z", "v: w", "v: w"]))
    let fourth = try hosts(bench)
    #expect(fourth[..<2].map(\.identity) == second[..<2].map(\.identity))
    #expect(fourth[2].identity != second[2].identity && fourth[2].name == "w")
  }

  @Test func choicesAreCounted() throws {
    var bench = try Bench()
    let matches = [Self.match("x", "v: x", Self.tls("x"))]
    _ = try bench.compile(Self.text(matches, hosts: ["v: x", "v: x", ""]))
    #expect(bench.value("cluster.a.x.total_match_count") == 2)
    #expect(bench.value("cluster.a.default.total_match_count") == 1)
    _ = try bench.compile(Self.text(matches, hosts: ["v: x", "v: x", "", "v: x"]))
    #expect(bench.value("cluster.a.x.total_match_count") == 3)
    #expect(bench.value("cluster.a.default.total_match_count") == 1)
    _ = try bench.compile(Self.text(matches, hosts: ["", "v: x", "", "v: x"]))
    #expect(bench.value("cluster.a.default.total_match_count") == 2)
  }

  private static func checks(_ fields: String) -> String {
    "health_checks: [{ timeout: 1s, interval: 5s, healthy_threshold: 1, unhealthy_threshold: 1, tcp_health_check: {}, \(fields) }]"
  }

  private func checkHosts(_ bench: Bench) throws -> [(identity: UInt64, transport: UInt16)] {
    let snapshot = bench.compiler.checkSnapshot(listeners: [])
    return withExtendedLifetime(snapshot) {
      (snapshot.hosts(of: "a (check)")?.hosts.array ?? []).map { ($0.value.identity, $0.value.transport) }
    }
  }

  @Test func checksGoTheirOwnWay() throws {
    var bench = try Bench()
    let matches = [Self.match("x", "v: x", Self.tls("x")), Self.match("w", "v: w", Self.raw)]
    func compile(_ fields: String) throws -> [(identity: UInt64, transport: UInt16)] {
      _ = try bench.compile(Self.text(matches, hosts: ["v: x", "v: w"], extra: Self.checks(fields)))
      return try checkHosts(bench)
    }
    let plain = try compile("")
    #expect(plain.map { $0.transport == 0 } == [false, true])
    let byCriteria = try compile("transport_socket_match_criteria: { v: x }")
    #expect(byCriteria.map { $0.transport == 0 } == [false, false])
    // Whose socket is another one is another host.
    #expect(byCriteria[0].identity == plain[0].identity && byCriteria[1].identity != plain[1].identity)
    #expect(try compile("transport_socket_match_criteria: { v: w }").map(\.transport) == [0, 0])
    #expect(try compile("transport_socket_match_criteria: { v: nobody }").map(\.transport) == [0, 0])
    #expect(try compile("transport_socket_match_criteria: {}").map(\.transport) == [0, 0])
  }

  @Test func inventoryHasCertificatesOfMatches() throws {
    var bench = try Bench()
    _ = try bench.compile(Self.text([Self.match("x", "v: x", Self.tls("x"))], hosts: [""], own: Self.tls("own")))
    #expect(bench.compiler.inventories.count == 2)
    // Twice the same socket is one.
    _ = try bench.compile(
      Self.text([Self.match("x", "v: x", Self.tls("x")), Self.match("w", "v: w", Self.tls("x"))], hosts: ["v: x", "v: w"]))
    #expect(bench.compiler.inventories.count == 1)
    #expect(try hosts(bench).map(\.match) == ["x", "w"])
    #expect(try hosts(bench).map(\.name) == ["x", "x"])
  }

  private func warnings(_ text: String) throws -> [String] {
    var bench = try Bench()
    return try bench.compile(text).warnings.map(\.description).filter { !$0.contains("no trusted_ca") }
  }

  @Test func whatIsProbablyAMistakeIsWarnedOf() throws {
    let x = Self.match("x", "v: x", Self.tls("x"))
    #expect(try warnings(Self.text([x], hosts: ["v: x", ""])) == [])
    // Metadata of others are no question.
    #expect(try warnings(Self.text([], hosts: ["v: x"])) == [])
    let unmatched = try warnings(Self.text([x], hosts: ["v: w", "v: z"]))
    #expect(unmatched.count == 1)
    #expect(unmatched.first?.hasSuffix("no transport_socket_matches fits the metadata of 10.0.0.1:80 (nor 1 more): plain text is spoken there") ?? false)
    let place = try warnings(Self.text([x], hosts: ["", "v: x"], locality: "v: w"))
    #expect(place.count == 1 && place[0].hasSuffix("fits the metadata of 10.0.0.1:80: plain text is spoken there"))
    let hidden = try warnings(Self.text([Self.match("all", "", Self.raw), x], hosts: [""]))
    #expect(hidden.count == 1 && hidden[0].contains("transport_socket_matches[1]: is for nobody"))
    let checked = Self.checks("transport_socket_match_criteria: { v: w }")
    let criteria = try warnings(Self.text([x], hosts: ["v: x"], extra: checked))
    #expect(criteria.count == 1 && criteria[0].contains("health_checks[0].transport_socket_match_criteria: no transport_socket_matches fits"))
    let useless = try warnings(Self.text([], hosts: [""], extra: checked))
    #expect(useless.count == 1 && useless[0].contains("has no effect: the cluster has no transport_socket_matches"))
  }
}
