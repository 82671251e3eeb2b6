import ConfigCompiler
import Proxy
import Stats
import Testing

/// Statistics come and go with what they count.
@Suite struct StatisticsTests {
  @Test func theNamesAreEnvoys() throws {
    var bench = try Bench()
    let compilation = try bench.compile(
      Fixture.bootstrap(
        listeners: Fixture.http(
          "web",
          routes: "[{ match: { prefix: / }, stat_prefix: r, route: { cluster: a } }]",
          virtualHost: "virtual_clusters: [{ name: v, headers: [{ name: x }] }]")
          + Fixture.tcp("tcp", listener: "stat_prefix: named"),
        clusters: Fixture.cluster("a", extra: "alt_stat_name: other")))
    let names = bench.metricNames
    for name in [
      "listener.127.0.0.1_8080.downstream_cx_total",
      "listener.127.0.0.1_8080.worker_1.downstream_cx_active",
      "listener.127.0.0.1_8080.http.web.downstream_rq_2xx",
      "listener.named.downstream_cx_active", "http.web.downstream_rq_total", "http.web.no_route",
      "tcp.tcp.downstream_cx_total", "cluster.other.upstream_rq_total",
      "cluster.other.membership_healthy", "vhost.all.vcluster.v.upstream_rq_total",
      "vhost.all.vcluster.other.upstream_rq_total", "vhost.all.route.r.upstream_rq_total",
      "cluster_manager.cluster_added", "listener_manager.listener_create_success",
    ] {
      #expect(names.contains(name), "\(name)")
    }
    #expect(!names.contains { $0.hasPrefix("cluster.a.") })
    #expect(bench.registry.metrics.count == names.count)
    #expect(bench.value("cluster.other.membership_total") == 1)
    withExtendedLifetime(compilation) {}
  }

  @Test func scopesGoWithTheirLastSnapshot() throws {
    var bench = try Bench()
    _ = try bench.compile(Fixture.bootstrap())
    let empty = bench.metricNames
    var first: Compilation? = try bench.compile(
      Fixture.bootstrap(
        listeners: Fixture.http("web"), clusters: Fixture.cluster("a")))
    let full = bench.metricNames
    #expect(full.count > empty.count)
    let last = try bench.compile(Fixture.bootstrap())
    // The snapshot before is alive: its workers still count.
    #expect(bench.metricNames == full)
    first = nil
    #expect(first == nil)
    #expect(bench.metricNames == empty)
    withExtendedLifetime(last) {}
  }

  @Test func countsSurviveAChange() throws {
    var bench = try Bench()
    var current = try bench.compile(
      Fixture.bootstrap(listeners: Fixture.http("web"), clusters: Fixture.cluster("a")))
    guard case .http(let manager) = current.snapshot.listeners[0].value.chains.array[0].value.terminal
    else { throw Failed() }
    bench.registry.slabs[1].increment(manager.value.stats.rqTotal)
    let cluster = try #require(current.snapshot.clusters.array[0])
    bench.registry.slabs[1].increment(cluster.value.stats.rqTotal)
    for round in 0..<5 {
      current = try bench.compile(
        Fixture.bootstrap(
          listeners: Fixture.http("web", manager: "xff_num_trusted_hops: \(round)"),
          clusters: Fixture.cluster("a", extra: "connect_timeout: \(round + 1)s")))
    }
    #expect(bench.value("http.web.downstream_rq_total") == 1)
    #expect(bench.value("cluster.a.upstream_rq_total") == 1)
    withExtendedLifetime(current) {}
  }

  @Test func hostsCountInCellsThatOnlyHandlesReach() throws {
    var bench = try Bench()
    let compilation = try bench.compile(
      Fixture.bootstrap(clusters: Fixture.cluster("a", hosts: ["10.0.0.1:80", "10.0.0.2:80"])))
    let hosts = try #require(compilation.snapshot.hosts(of: "a")).hosts.array
    let slab = bench.registry.slabs[1]
    slab.increment(hosts[0].value.stats.rqTotal)
    slab.add(hosts[0].value.stats.cxActive, 3)
    slab.subtract(hosts[0].value.stats.cxActive, 1)
    #expect(bench.registry.value(of: hosts[0].value.stats.rqTotal) == 1)
    #expect(bench.registry.value(of: hosts[0].value.stats.cxActive) == 2)
    #expect(bench.registry.value(of: hosts[1].value.stats.rqTotal) == 0)
    #expect(!bench.metricNames.contains { $0.hasSuffix("rq_success") })
  }

  @Test func hiddenCellsAreClearedWhenTheyGo() throws {
    let registry = try StatsRegistry(slabCount: 1)
    let first = registry.makeScope(prefix: "", isHidden: true)
    let old = first.counter("x")
    registry.mainSlab.increment(old)
    registry.recycle(registry.removeScope(first))
    let second = registry.makeScope(prefix: "", isHidden: true)
    let new = second.counter("x")
    #expect(new == old)
    #expect(registry.value(of: new) == 0)
    #expect(second.gauge("x") != first.gauge("x"))
    #expect(registry.metrics.isEmpty)
  }
}
