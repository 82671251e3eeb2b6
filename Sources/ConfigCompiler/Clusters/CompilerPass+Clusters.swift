import ConfigLoader
import ConfigSchema
import HostHealth
import Proxy
import SwiftProtobuf

extension CompilerPass {
  /// Checks the clusters; those whose message did not change are left out.
  func clusterPlans() -> [ClusterPlan] {
    let protos = loaded.bootstrap.staticResources.clusters
    var firstPlaces: [String: Int] = [:]
    for (index, proto) in protos.enumerated() {
      if let other = firstPlaces[proto.name] {
        error(
          "static_resources.clusters[\(index)].name",
          "\"\(shown(proto.name))\" is already used by static_resources.clusters[\(other)]")
      } else {
        firstPlaces[proto.name] = index
      }
    }
    clusterNames = Set(firstPlaces.keys)
    for proto in protos {
      _ = state.clusterSlot(proto.name)
      let policy = balancingName(proto)
      if !policy.hashes { unhashedClusters[proto.name] = policy.name }
    }
    return protos.enumerated().compactMap { index, proto in
      // Values of the runtime stand for fields of any of them.
      if isRuntimeKept, let known = state.clusters[proto.name], known.proto == proto {
        rereadCertificates(proto, known, "static_resources.clusters[\(index)]")
        return nil
      }
      return plan(proto, "static_resources.clusters[\(index)]")
    }
  }

  private func plan(_ proto: Envoy_Config_Cluster_V3_Cluster, _ path: String) -> ClusterPlan {
    refuseUnsupported(proto, path)
    var connection = ConnectionSettings(
      connectTimeoutNanoseconds: 5_000_000_000, bufferLimitBytes: 1 << 20,
      http: upstreamHTTP(proto, path))
    if proto.hasConnectTimeout {
      connection.connectTimeoutNanoseconds = nanoseconds(
        proto.connectTimeout, "\(path).connect_timeout")
    }
    if proto.hasPerConnectionBufferLimitBytes {
      connection.bufferLimitBytes = Int(proto.perConnectionBufferLimitBytes.value)
    }
    if proto.hasUpstreamConnectionOptions {
      let options = proto.upstreamConnectionOptions
      refuse(
        "\(path).upstream_connection_options.set_local_interface_name_on_upstream_connections",
        if: options.setLocalInterfaceNameOnUpstreamConnections)
      if options.hasTcpKeepalive {
        connection.keepalive = keepalive(
          options.tcpKeepalive, "\(path).upstream_connection_options.tcp_keepalive")
      }
    }
    var plan = ClusterPlan(
      proto: proto, statName: proto.altStatName.isEmpty ? proto.name : proto.altStatName,
      connection: connection)
    plan.sockets = clusterSockets(proto, connection.http, path)
    warnOfHiddenMatches(plan.sockets, path)
    plan.balancing = balancing(proto, path)
    (plan.normalLimits, plan.highLimits) = limits(
      proto.circuitBreakers, ofCluster: proto.name, "\(path).circuit_breakers")
    plan.options = clusterOptions(proto.metadata, "\(path).metadata")
    plan.maintenancePercent = maintenancePercent(ofCluster: proto.name)
    plan.retryPercent = runtimePercent("upstream.use_retry") ?? 100
    if let milliseconds = runtimeMilliseconds("upstream.base_retry_backoff_ms") {
      plan.retryBackoff = RetryBackoff(base: max(1, milliseconds) * 1_000_000)
    }
    plan.dropsPerMillion = drops(proto.loadAssignment.policy, "\(path).load_assignment.policy")
    plan.hosts = hosts(proto, path)
    plan.chooseSockets()
    warnOfUnmatchedHosts(plan, path)
    if plan.balancing.usesLocalityWeights {
      plan.localityWeights = localityWeights(proto.loadAssignment, "\(path).load_assignment")
    }
    plan.hashPolicies = clusterHashPolicies(proto, path)
    warnOfMissingHostnames(plan, path)
    checkSubsets(plan, "\(path).load_assignment")
    if proto.commonLbConfig.hasUpdateMergeWindow {
      plan.mergeWindowMilliseconds = milliseconds(
        proto.commonLbConfig.updateMergeWindow, "\(path).common_lb_config.update_merge_window")
    }
    plan.checks = activeChecks(proto.healthChecks, isTLS: plan.sockets.hasTLS, "\(path).health_checks")
    warnOfUnmatchedChecks(plan, "\(path).health_checks")
    if proto.hasOutlierDetection {
      plan.outliers = outlierSettings(
        proto.outlierDetection, hostCount: plan.hosts.count, "\(path).outlier_detection")
    }
    if plan.options.hasLatencyOutlier {
      let latency = latencySettings(
        plan.options.latencyOutlier, plan, "\(path).metadata.filter_metadata[\"apus\"].latency_outlier")
      plan.outliers?.latency = latency
    }
    return plan
  }

  /// Where a cluster's hosts come from. Other kinds of discovery begin here.
  private func hosts(_ proto: Envoy_Config_Cluster_V3_Cluster, _ path: String) -> [HostPlan] {
    switch proto.type {
    case .static:
      return hosts(
        proto.loadAssignment, choosesSockets: !proto.transportSocketMatches.isEmpty, "\(path).load_assignment")
    case .strictDns, .logicalDns, .eds, .originalDst, .UNRECOGNIZED:
      error("\(path).type", "only STATIC clusters are supported by apus so far")
      return []
    }
  }

  private func keepalive(
    _ proto: Envoy_Config_Core_V3_TcpKeepalive, _ path: String
  ) -> ClusterConfig.Keepalive {
    func value(_ number: UInt32, _ name: String) -> Int32 {
      // The kernel's own limit for all three (tcp(7)).
      if number > 32_767 { error("\(path).\(name)", "must be at most 32767, got \(number)") }
      return Int32(truncatingIfNeeded: number)
    }
    var keepalive = ClusterConfig.Keepalive()
    keepalive.probes = value(proto.keepaliveProbes.value, "keepalive_probes")
    keepalive.timeSeconds = value(proto.keepaliveTime.value, "keepalive_time")
    keepalive.intervalSeconds = value(proto.keepaliveInterval.value, "keepalive_interval")
    return keepalive
  }

  private func refuseUnsupported(_ proto: Envoy_Config_Cluster_V3_Cluster, _ path: String) {
    if proto.hasTrackClusterStats {
      let stats = proto.trackClusterStats
      refuse(
        "\(path).track_cluster_stats",
        if: stats.timeoutBudgets || stats.requestResponseSizes || stats.perEndpointStats)
    }
    ignore(
      "\(path).ignore_health_on_host_removal", if: proto.ignoreHealthOnHostRemoval,
      "has no effect on a STATIC cluster: who is taken out of it is gone")
    let onlyDNS = "has no effect on a STATIC cluster"
    ignore("\(path).dns_refresh_rate", if: proto.hasDnsRefreshRate, onlyDNS)
    ignore("\(path).dns_jitter", if: proto.hasDnsJitter, onlyDNS)
    ignore("\(path).dns_failure_refresh_rate", if: proto.hasDnsFailureRefreshRate, onlyDNS)
    ignore("\(path).respect_dns_ttl", if: proto.respectDnsTtl, onlyDNS)
    ignore("\(path).dns_lookup_family", if: proto.dnsLookupFamily != .auto, onlyDNS)
    ignore("\(path).cleanup_interval", if: proto.hasCleanupInterval, onlyDNS)
  }
}
