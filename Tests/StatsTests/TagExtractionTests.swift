import Testing

@testable import Stats

@Suite struct TagExtractionTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let rest: String
    /// `tag:value`, without `envoy.`, in order.
    let tags: [String]
    var testDescription: String { name }
    init(_ name: String, _ rest: String, _ tags: String...) {
      self.name = name
      self.rest = rest
      self.tags = tags
    }
  }

  @Test(arguments: [
    Row("server.live", "server.live"),
    Row("", ""),
    Row("...", "..."),
    Row("cluster", "cluster"),
    Row("cluster.a.upstream_cx_total", "cluster.upstream_cx_total", "cluster_name:a"),
    Row("cluster.up.a_b.upstream_cx_total", "cluster.a_b.upstream_cx_total", "cluster_name:up"),
    Row(
      "cluster.a.upstream_rq_200", "cluster.upstream_rq", "response_code:200", "cluster_name:a"),
    Row(
      "cluster.a.external.upstream_rq_2xx", "cluster.external.upstream_rq_xx",
      "response_code_class:2", "cluster_name:a"),
    Row("cluster.a.upstream_rq_2000", "cluster.upstream_rq_2000", "cluster_name:a"),
    Row("cluster.a.upstream_rq_xxx", "cluster.upstream_rq_xxx", "cluster_name:a"),
    Row(
      "http.in.downstream_rq_5xx", "http.downstream_rq_xx", "response_code_class:5",
      "http_conn_manager_prefix:in"),
    Row(
      "http.in.user_agent.ios.downstream_cx_total", "http.user_agent.downstream_cx_total",
      "http_user_agent:ios", "http_conn_manager_prefix:in"),
    Row(
      "http.in.rds.my.routes.update_success", "http.rds.update_success",
      "http_conn_manager_prefix:in", "rds_route_config:my.routes"),
    Row(
      "listener.127.0.0.1_80.downstream_cx_total", "listener.downstream_cx_total",
      "listener_address:127.0.0.1_80"),
    Row(
      "listener.[__1]_80.downstream_cx_total", "listener.downstream_cx_total",
      "listener_address:[__1]_80"),
    Row(
      "listener.edge.downstream_cx_total", "listener.downstream_cx_total", "listener_address:edge"),
    Row(
      "listener.127.0.0.1_80.worker_1.downstream_cx_total", "listener.worker_downstream_cx_total",
      "worker_id:1", "listener_address:127.0.0.1_80"),
    Row(
      "listener.127.0.0.1_80.http.in.downstream_rq_2xx", "listener.http.downstream_rq_xx",
      "response_code_class:2", "http_conn_manager_prefix:in", "listener_address:127.0.0.1_80"),
    Row(
      "listener.admin.http.admin.downstream_rq_2xx", "listener.admin.http.downstream_rq_xx",
      "response_code_class:2", "http_conn_manager_prefix:admin"),
    Row("listener.admin.downstream_cx_total", "listener.admin.downstream_cx_total"),
    Row(
      "listener.127.0.0.1_80.ssl.versions.TLSv1.3", "listener.ssl.versions",
      "listener_address:127.0.0.1_80", "ssl_version:TLSv1.3"),
    Row(
      "listener.edge.ssl.ciphers.AES", "listener.ssl.ciphers", "listener_address:edge",
      "ssl_cipher:AES"),
    Row("server.worker_3.watchdog_miss", "server.worker_watchdog_miss", "worker_id:3"),
    Row(
      "listener_manager.worker_0.dispatcher.loop", "listener_manager.worker_dispatcher.loop",
      "worker_id:0"),
    Row("server.worker_x.watchdog_miss", "server.worker_x.watchdog_miss"),
    Row(
      "vhost.vh.vcluster.vc.upstream_rq_200", "vhost.vcluster.upstream_rq", "response_code:200",
      "virtual_cluster:vc", "virtual_host:vh"),
    Row(
      "vhost.vh.route.r.upstream_rq_timeout", "vhost.route.upstream_rq_timeout", "virtual_host:vh",
      "route:r"),
    Row("tcp.t.downstream_cx_total", "tcp.downstream_cx_total", "tcp_prefix:t"),
    Row("redis.r.command.get.total", "redis.command.get.total", "redis_prefix:r"),
    Row(
      "mongo.m.collection.c.callsite.s.query.total", "mongo.collection.callsite.query.total",
      "mongo_callsite:s", "mongo_collection:c", "mongo_prefix:m"),
    Row("mongo.m.cmd.find.total", "mongo.cmd.total", "mongo_cmd:find", "mongo_prefix:m"),
    Row(
      "cluster.a.grpc.svc.method.success", "cluster.grpc.success", "grpc_bridge_method:method",
      "grpc_bridge_service:svc", "cluster_name:a"),
    Row("ratelimit.r.ok", "ratelimit.ok", "ratelimit_prefix:r"),
    Row("p.http_local_rate_limit.ok", "http_local_rate_limit.ok", "local_http_ratelimit_prefix:p"),
  ])
  func defaults(_ row: Row) {
    let result = TagExtraction().extract(from: row.name)
    #expect(result.name == row.rest)
    let tags = row.tags.map { tag in
      let colon = tag.firstIndex(of: ":") ?? tag.endIndex
      return StatsTag(
        name: "envoy." + tag[..<colon], value: String(tag[tag.index(after: colon)...]))
    }
    #expect(result.tags == tags)
  }

  @Test func userTags() {
    let extraction = TagExtraction(
      useDefaults: false, fixedTags: [StatsTag(name: "zone", value: "z1")],
      rules: [
        ("team", { $0.hasPrefix("cluster.") ? ("x", 8..<100) : nil })
      ])
    #expect(
      extraction.extract(from: "cluster.abc")
        == TaggedName(
          name: "cluster.",
          tags: [StatsTag(name: "zone", value: "z1"), StatsTag(name: "team", value: "x")]))
    #expect(extraction.extract(from: "http.a").tags.count == 1)
  }
}
