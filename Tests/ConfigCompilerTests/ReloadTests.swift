import ConfigCompiler
import Proxy
import Testing

/// What is the same object before and after a reload, and what is not.
@Suite struct ReloadTests {
  private static func text(
    hosts: [String] = ["10.0.0.1:80", "10.0.0.2:80"], clusterExtra: String = "",
    routes: String = "[{ match: { prefix: / }, route: { cluster: a } }]",
    manager: String = "", more: String = "", listener: String = ""
  ) -> String {
    Fixture.bootstrap(
      listeners: Fixture.http("web", routes: routes, manager: manager, listener: listener)
        + Fixture.tcp("tcp", cluster: "b"),
      clusters: Fixture.cluster("a", hosts: hosts, extra: clusterExtra) + Fixture.cluster("b")
        + more)
  }

  private static func cluster(_ name: String, _ snapshot: Snapshot) -> Frozen<ClusterConfig>? {
    snapshot.clusters.array.compactMap { $0 }.first { $0.value.name.text == name }
  }

  private static func tables(_ snapshot: Snapshot) -> [Frozen<RouteTableConfig>] {
    snapshot.routeTables.array.compactMap { $0 }
  }

  @Test func anUnchangedConfigurationSharesEverything() throws {
    var bench = try Bench()
    let first = try bench.compile(Self.text())
    let second = try bench.compile(Self.text())
    #expect(second.snapshot.generation == first.snapshot.generation + 1)
    #expect(second.changes.isEmpty)
    #expect(zip(first.snapshot.listeners, second.snapshot.listeners).allSatisfy { $0 === $1 })
    #expect(Self.cluster("a", first.snapshot) === Self.cluster("a", second.snapshot))
    #expect(
      Self.tables(first.snapshot).map(\.pointer) == Self.tables(second.snapshot).map(\.pointer))
    #expect(bench.sockets.requests == ["web", "tcp"])
  }

  @Test func aChangeOfRoutesKeepsTheListener() throws {
    var bench = try Bench()
    let first = try bench.compile(Self.text())
    let second = try bench.compile(
      Self.text(routes: "[{ match: { prefix: / }, route: { cluster: b } }]"))
    #expect(second.changes.routesModified == ["web"])
    #expect(second.changes.listenersModified.isEmpty)
    #expect(first.snapshot.listeners[0] === second.snapshot.listeners[0])
    #expect(Self.tables(first.snapshot).map(\.pointer) != Self.tables(second.snapshot).map(\.pointer))
    #expect(Self.tables(second.snapshot).count == 1)
    #expect(bench.sockets.requests == ["web", "tcp"])
  }

  @Test func anyOtherChangeIsANewVersionWithItsOwnTables() throws {
    var bench = try Bench()
    let first = try bench.compile(Self.text())
    let second = try bench.compile(Self.text(manager: "use_remote_address: true"))
    #expect(second.changes.listenersModified == ["web"])
    let (old, new) = (first.snapshot.listeners[0].value, second.snapshot.listeners[0].value)
    #expect(new.version > old.version)
    #expect(new.sockets == old.sockets)
    #expect(first.snapshot.listeners[1] === second.snapshot.listeners[1])
    // Connections of the old version may still be served with the old table.
    #expect(Self.tables(second.snapshot).count == 2)
  }

  @Test func tablesOfAnOldVersionGoWithItsLastUser() throws {
    var bench = try Bench()
    do {
      let first = try bench.compile(Self.text())
      let second = try bench.compile(Self.text(manager: "use_remote_address: true"))
      bench.compiler.snapshotReleased(generation: first.snapshot.generation)
      #expect(Self.tables(second.snapshot).count == 2)
    }
    let third = try bench.compile(Self.text(manager: "use_remote_address: true"))
    #expect(Self.tables(third.snapshot).count == 1)
  }

  @Test func aChangeOfOneHostKeepsTheOthers() throws {
    var bench = try Bench()
    let first = try bench.compile(Self.text())
    let second = try bench.compile(Self.text(hosts: ["10.0.0.2:80", "10.0.0.3:80"]))
    #expect(second.changes.clustersModified == ["a"])
    let old = try #require(Self.cluster("a", first.snapshot)).value
    let new = try #require(Self.cluster("a", second.snapshot)).value
    #expect(new.slot == old.slot)
    #expect(new.shared === old.shared)
    let oldHosts = try #require(first.snapshot.hosts(of: "a")).hosts.array
    let newHosts = try #require(second.snapshot.hosts(of: "a")).hosts.array
    #expect(newHosts[0] === oldHosts[1])
    let known = Set(oldHosts.map(\.value.identity))
    #expect(!known.contains(newHosts[1].value.identity))
    #expect(
      first.snapshot.hosts.sets.array[1] === second.snapshot.hosts.sets.array[1],
      "another cluster's set is the same object")
    #expect(first.snapshot.listeners[0] === second.snapshot.listeners[0])
    #expect(bench.value("cluster.a.membership_change") == 2)
    #expect(bench.value("cluster.a.membership_total") == 2)
  }

  @Test func aHostThatOnlyWeighsMoreKeepsItsIdentity() throws {
    var bench = try Bench()
    let first = try bench.compile(Self.text())
    let heavier = Self.text().replacing(
      "{ endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 80 } } } }, ",
      with:
        "{ load_balancing_weight: 3, endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 80 } } } }, "
    )
    let second = try bench.compile(heavier)
    let old = try #require(first.snapshot.hosts(of: "a"))
    let new = try #require(second.snapshot.hosts(of: "a"))
    #expect(new.hosts.array[0].value.weight == 3)
    #expect(new.hosts.array[0].value.identity == old.hosts.array[0].value.identity)
    #expect(old.weights.array == [])
    #expect(new.weights.array == [3, 1])
    #expect(bench.value("cluster.a.membership_change") == 1)
    #expect(bench.value("cluster.a.max_host_weight") == 3)
    _ = try bench.compile(Self.text())
    #expect(bench.value("cluster.a.max_host_weight") == 1)
    _ = try bench.compile(Self.text(hosts: []))
    #expect(bench.value("cluster.a.max_host_weight") == 0)
  }

  @Test(arguments: [
    ("connect_timeout: 2s", false), ("lb_policy: RANDOM", true),
    ("common_http_protocol_options: { max_requests_per_connection: 5 }", false),
    ("upstream_connection_options: { tcp_keepalive: {} }", false),
    ("circuit_breakers: { thresholds: [{ max_requests: 5 }] }", true),
  ])
  func identityDependsOnWhatConnectionsDependOn(extra: String, isKept: Bool) throws {
    var bench = try Bench()
    let first = try bench.compile(Self.text())
    let second = try bench.compile(Self.text(clusterExtra: extra))
    let old = try #require(first.snapshot.hosts(of: "a")).hosts.array
    let new = try #require(second.snapshot.hosts(of: "a")).hosts.array
    #expect((old[0].value.identity == new[0].value.identity) == isKept)
  }

  @Test func theSameAddressTwiceIsTwoHosts() throws {
    var bench = try Bench()
    let first = try bench.compile(Self.text(hosts: ["10.0.0.1:80", "10.0.0.1:80"]))
    let hosts = try #require(first.snapshot.hosts(of: "a")).hosts.array
    #expect(hosts[0].value.identity != hosts[1].value.identity)
  }

  @Test func aSlotRestsWhileASnapshotMayUseIt() throws {
    var bench = try Bench()
    let first = try bench.compile(Self.text(more: Fixture.cluster("gone")))
    let slot = try #require(Self.cluster("gone", first.snapshot)).value.slot
    let second = try bench.compile(Self.text())
    #expect(second.changes.clustersRemoved == ["gone"])
    #expect(second.snapshot.clusters.array[Int(slot)] == nil)
    let third = try bench.compile(Self.text(more: Fixture.cluster("new")))
    #expect(Self.cluster("new", third.snapshot)?.value.slot != slot)
    bench.compiler.snapshotReleased(generation: first.snapshot.generation)
    let fourth = try bench.compile(
      Self.text(more: Fixture.cluster("new") + Fixture.cluster("newer")))
    #expect(Self.cluster("newer", fourth.snapshot)?.value.slot == slot)
  }

  @Test func aRemovedAndReaddedClusterStartsAnew() throws {
    var bench = try Bench()
    let first = try bench.compile(Self.text(more: Fixture.cluster("c")))
    _ = try bench.compile(Self.text())
    let third = try bench.compile(Self.text(more: Fixture.cluster("c")))
    #expect(third.changes.clustersAdded == ["c"])
    #expect(Self.cluster("c", first.snapshot) !== Self.cluster("c", third.snapshot))
  }

  @Test func aRemovedClusterThatAnUnchangedListenerNamesIsAnError() throws {
    var bench = try Bench()
    _ = try bench.compile(Self.text())
    let errors = try bench.errors(
      Fixture.bootstrap(
        listeners: Fixture.http("web") + Fixture.tcp("tcp", cluster: "b"),
        clusters: Fixture.cluster("c")))
    #expect(errors.count == 2)
    #expect(
      errors[0].hasSuffix(
        "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].route.cluster: unknown cluster \"a\", did you mean \"c\"?"
      ))
    #expect(errors[1].contains("static_resources.listeners[1].filter_chains[0].filters[0].typed_config.cluster: "))
  }

  @Test func aBadConfigurationChangesNothing() throws {
    var bench = try Bench()
    let first = try bench.compile(Self.text())
    let names = bench.metricNames
    #expect(try !bench.errors(Self.text(clusterExtra: "type: EDS", more: Fixture.cluster("x"))).isEmpty)
    #expect(bench.metricNames == names)
    let second = try bench.compile(Self.text())
    #expect(second.snapshot.generation == first.snapshot.generation + 1)
    #expect(second.changes.isEmpty)
  }

  @Test func aRemovedListenerIsNamed() throws {
    var bench = try Bench()
    _ = try bench.compile(Self.text())
    let second = try bench.compile(
      Fixture.bootstrap(listeners: Fixture.http("web"), clusters: Fixture.cluster("a")))
    #expect(second.removedListenerNames == ["tcp"])
    #expect(bench.value("listener_manager.listener_removed") == 1)
    #expect(bench.value("listener_manager.total_listeners_active") == 1)
    #expect(bench.value("cluster_manager.active_clusters") == 1)
  }

  @Test func logTargetsKeepTheirNumbers() throws {
    func text(_ paths: [String]) -> String {
      let logs = paths.map { path in
        "{ name: f, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: \(path) } }"
      }.joined(separator: ", ")
      return Self.text(manager: "access_log: [\(logs)]")
    }
    var bench = try Bench()
    #expect(try bench.compile(text(["/a", "/b", "/a"])).logTargets == [.file(path: "/a"), .file(path: "/b")])
    #expect(
      try bench.compile(text(["/c", "/b"])).logTargets == [
        .file(path: "/a"), .file(path: "/b"), .file(path: "/c"),
      ])
  }
}
