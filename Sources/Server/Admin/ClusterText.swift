import HostHealth
import Primitives
import Proxy
import Upstreams

/// `/clusters` as text: `cluster::host::name::value`, a cluster's head or a few hosts a piece.
final class ClusterText: AdminPieces {
  private static let hostsPerPiece = 8

  private let clusters: [AdminCluster]
  private let delegate: any AdminDelegate
  private var cluster = 0
  /// -1 = the lines about the cluster itself.
  private var host = -1

  init(_ clusters: [AdminCluster], _ delegate: any AdminDelegate) {
    self.clusters = clusters
    self.delegate = delegate
  }

  override func next(into output: inout [UInt8]) -> Bool {
    guard cluster < clusters.count else { return false }
    let current = clusters[cluster]
    let hosts = current.hosts.pointer.pointee.hosts
    if host < 0 {
      printHead(current.config.pointer.pointee, current.hosts.pointer.pointee, into: &output)
      host = 0
    } else {
      let end = min(hosts.buffer.count, host + Self.hostsPerPiece)
      let name = current.name
      for index in host..<end {
        printHost(
          hosts.buffer[index].pointer.pointee, current.hosts.pointer.pointee.flags.buffer[index], of: name, into: &output)
      }
      host = end
    }
    if host == hosts.buffer.count {
      cluster += 1
      host = -1
    }
    return cluster < clusters.count
  }

  private func printHead(_ config: ClusterConfig, _ hosts: HostSet, into output: inout [UInt8]) {
    let name = config.name.view.string
    func line(_ text: String) { output += "\(name)::\(text)\n".utf8 }
    line("observability_name::\(config.statName)")
    if let rates = delegate.outlierRates(ofCluster: name) {
      for (origin, rates) in [("", rates.external), ("local_origin_", rates.local)] {
        line("outlier::\(origin)success_rate_average::\(RateText.rounded(rates.average))")
        line("outlier::\(origin)success_rate_ejection_threshold::\(RateText.rounded(rates.threshold))")
      }
    }
    for (priority, limits) in [("default", config.normalLimits), ("high", config.highLimits)] {
      line("\(priority)_priority::max_connections::\(limits.connections)")
      line("\(priority)_priority::max_pending_requests::\(limits.pendingRequests)")
      line("\(priority)_priority::max_requests::\(limits.requests)")
      line("\(priority)_priority::max_retries::\(limits.retries)")
    }
    line("added_via_api::false")
    // Ours come last, so that readers of Envoy's go on.
    if let latency = delegate.outlierLatency(ofCluster: name) {
      line("outlier::latency_median_ms::\(Self.milliseconds(latency.median))")
      line("outlier::latency_ejection_threshold_ms::\(Self.milliseconds(latency.threshold))")
    }
    for fact in BalancingFacts(hosts).lines { line(fact) }
  }

  /// -1 where there were too few requests.
  private static func milliseconds(_ time: Double?) -> String { time.map { "\(MillisecondText($0))" } ?? "-1" }

  private func printHost(_ host: HostConfig, _ flags: HostFlags, of cluster: String, into output: inout [UInt8]) {
    let prefix = "\(cluster)::\(host.text.view.string)::"
    func line(_ name: String, _ value: some CustomStringConvertible) {
      output += "\(prefix)\(name)::\(value)\n".utf8
    }
    line("cx_active", delegate.value(of: host.stats.cxActive))
    line("cx_connect_fail", delegate.value(of: host.stats.cxConnectFail))
    line("cx_total", delegate.value(of: host.stats.cxTotal))
    line("rq_active", delegate.value(of: host.stats.rqActive))
    line("rq_error", delegate.value(of: host.stats.rqError))
    line("rq_success", delegate.value(of: host.stats.rqSuccess))
    line("rq_timeout", delegate.value(of: host.stats.rqTimeout))
    line("rq_total", delegate.value(of: host.stats.rqTotal))
    line("hostname", host.hostname.view.string)
    line("health_flags", flags.text)
    line("weight", host.weight)
    line("region", host.locality.region)
    line("zone", host.locality.zone)
    line("sub_zone", host.locality.subZone)
    line("canary", host.labels.isCanary)
    line("priority", host.priority)
    let facts = delegate.facts(ofHost: host.number)
    line("success_rate", RateText.exact(facts.outlier?.successRate))
    line("local_origin_success_rate", RateText.exact(facts.outlier?.localSuccessRate))
    // Ours come last, so that readers of Envoy's go on.
    if let match = host.socketMatch { line("transport_socket_match", match.view.string) }
    if let latency = facts.outlier?.latencyMilliseconds { line("latency_ms", Self.milliseconds(latency)) }
    if let ejection = facts.outlier?.ejection {
      line(
        "ejection", "\(ejection.kind.statName), time \(ejection.count), ends in \(ejection.millisecondsLeft / 1000) s")
      line("ejection_reason", ejection.reason)
    }
    for check in facts.checks {
      guard let latest = check.latest else { continue }
      let name = check.name.isEmpty ? "last_check" : "last_check \(check.name)"
      line(name, "\(latest.text), \(latest.millisecondsAgo) ms ago, took \(latest.tookMilliseconds) ms")
    }
  }
}
