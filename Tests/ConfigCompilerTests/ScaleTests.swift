import ConfigCompiler
import ConfigLoader
import Glibc
import Proxy
import Testing

/// The cost of a reload follows the change, not the size.
@Suite(.serialized) struct ScaleTests {
  private static func text(changed: Bool) -> String {
    let count = 10_000
    var clusters = ""
    var hosts = ""
    for i in 0..<count {
      let octets = "10.\(i >> 8 & 255).\(i & 255)"
      let last = changed && i == count / 2 ? 2 : 1
      clusters +=
        "  - {name: c\(i), load_assignment: {cluster_name: c\(i), endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: \(octets).\(last), port_value: 80}}}}]}]}}\n"
      hosts +=
        "                - {name: v\(i), domains: [v\(i).test], routes: [{match: {prefix: /}, route: {cluster: c\(i)}}]}\n"
    }
    return """
      static_resources:
        listeners:
        - name: web
          address: { socket_address: { address: 127.0.0.1, port_value: 8080 } }
          filter_chains:
          - filters:
            - name: hcm
              typed_config:
                "@type": \(Fixture.manager)
                stat_prefix: web
                http_filters: [{ name: router, typed_config: { "@type": \(Fixture.router) } }]
                route_config:
                  virtual_hosts:
      \(hosts)
        clusters:
      \(clusters)
      """
  }

  @Test func aReloadCostsWhatChanged() throws {
    var bench = try Bench()
    let before = try load(Self.text(changed: false))
    let after = try load(Self.text(changed: true))
    var first: Compilation?
    let whole = try processorTime { first = try bench.compile(before) }
    var second: Compilation?
    let change = try processorTime { second = try bench.compile(after) }
    #expect(first?.changes.clustersAdded.count == 10_000)
    #expect(second?.changes.clustersModified == ["c5000"])
    #expect(second?.changes.listenersModified.isEmpty == true)
    #expect(change * 4 < whole, "\(change) for one host, \(whole) for all")
  }

  /// Of this thread: other tests run beside it.
  private func processorTime(_ work: () throws -> Void) rethrows -> Duration {
    func now() -> Duration {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
    let began = now()
    try work()
    return now() - began
  }
}
