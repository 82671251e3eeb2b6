import Balancing
import ConfigLoader
import ConfigSchema
import Proxy
import SwiftProtobuf

private typealias Cluster = Envoy_Config_Cluster_V3_Cluster

/// How a cluster chooses among its hosts: by `lb_policy` and its fields, or by `load_balancing_policy`, which wins.
extension CompilerPass {
  func setPolicy(_ settings: inout BalanceSettings, _ proto: Envoy_Config_Cluster_V3_Cluster, _ path: String) {
    if proto.hasLoadBalancingPolicy {
      setPolicy(&settings, proto.loadBalancingPolicy, "\(path).load_balancing_policy")
      let instead = "has no effect beside load_balancing_policy"
      ignore("\(path).lb_policy", if: ![.roundRobin, .loadBalancingPolicyConfig].contains(proto.lbPolicy), instead)
      if let (name, _) = Self.ownConfig(proto) { ignore("\(path).\(name)", instead) }
      refuseCommon(proto.commonLbConfig, "\(path).common_lb_config")
      return
    }
    switch proto.lbPolicy {
    case .roundRobin, .UNRECOGNIZED:
      let config = proto.roundRobinLbConfig
      setSlowStart(&settings, config.hasSlowStartConfig ? config.slowStartConfig : nil, "\(path).round_robin_lb_config")
    case .random: settings.policy = .random
    case .leastRequest:
      let config = proto.leastRequestLbConfig
      let place = "\(path).least_request_lb_config"
      setLeastRequest(
        &settings, config.hasChoiceCount ? config.choiceCount.value : nil,
        config.hasActiveRequestBias ? config.activeRequestBias : nil, place)
      setSlowStart(&settings, config.hasSlowStartConfig ? config.slowStartConfig : nil, place)
    case .ringHash:
      let config = proto.ringHashLbConfig
      setRing(
        &settings, config.hasMinimumRingSize ? config.minimumRingSize.value : nil,
        config.hasMaximumRingSize ? config.maximumRingSize.value : nil,
        usesMurmur: config.hashFunction == .murmurHash2, "\(path).ring_hash_lb_config")
    case .maglev:
      setMaglev(
        &settings, proto.maglevLbConfig.hasTableSize ? proto.maglevLbConfig.tableSize.value : nil,
        "\(path).maglev_lb_config")
    case .clusterProvided:
      error("\(path).lb_policy", "CLUSTER_PROVIDED needs a cluster type that provides a balancer, and there is none yet")
    case .loadBalancingPolicyConfig:
      error("\(path).lb_policy", "LOAD_BALANCING_POLICY_CONFIG needs load_balancing_policy")
    }
    if let (name, policy) = Self.ownConfig(proto), policy != proto.lbPolicy {
      ignore("\(path).\(name)", "has no effect with lb_policy \(settings.policy.name)")
    }
    let common = proto.commonLbConfig
    if common.hasConsistentHashingLbConfig {
      let config = common.consistentHashingLbConfig
      let place = "\(path).common_lb_config.consistent_hashing_lb_config"
      guard settings.policy.hashes else {
        ignore(place, "has no effect with lb_policy \(settings.policy.name)")
        return
      }
      settings.hashing.usesHostnames = config.useHostnameForHashing
      if config.hasHashBalanceFactor {
        settings.hashing.boundedLoad = BoundedLoad(factor: config.hashBalanceFactor.value)
      }
    }
  }

  /// As in Envoy: what belongs to a policy is with it.
  private func refuseCommon(_ proto: Cluster.CommonLbConfig, _ path: String) {
    let excludes = "and load_balancing_policy exclude each other: the policy has such a field of its own"
    if proto.hasConsistentHashingLbConfig { error("\(path).consistent_hashing_lb_config", excludes) }
    switch proto.localityConfigSpecifier {
    case nil: break
    case .zoneAwareLbConfig: error("\(path).zone_aware_lb_config", excludes)
    case .localityWeightedLbConfig: error("\(path).locality_weighted_lb_config", excludes)
    }
  }

  /// The policy's own fields that are given, and the policy that they are of.
  private static func ownConfig(_ proto: Cluster) -> (String, Cluster.LbPolicy)? {
    switch proto.lbConfig {
    case nil: nil
    case .ringHashLbConfig: ("ring_hash_lb_config", .ringHash)
    case .maglevLbConfig: ("maglev_lb_config", .maglev)
    case .leastRequestLbConfig: ("least_request_lb_config", .leastRequest)
    case .roundRobinLbConfig: ("round_robin_lb_config", .roundRobin)
    }
  }

  /// Names of the policies, for sentences; what decides is the message's type.
  func balancingName(_ proto: Envoy_Config_Cluster_V3_Cluster) -> (name: String, hashes: Bool) {
    guard proto.hasLoadBalancingPolicy else {
      switch proto.lbPolicy {
      case .ringHash: return ("RING_HASH", true)
      case .maglev: return ("MAGLEV", true)
      case .leastRequest: return ("LEAST_REQUEST", false)
      case .random: return ("RANDOM", false)
      case .roundRobin, .clusterProvided, .loadBalancingPolicyConfig, .UNRECOGNIZED: return ("ROUND_ROBIN", false)
      }
    }
    let type = proto.loadBalancingPolicy.policies.first?.typedExtensionConfig.typedConfig.messageName ?? ""
    let name = type.split(separator: ".").last.map(String.init) ?? ""
    return (name, name == "RingHash" || name == "Maglev")
  }

  /// Hosts that are to be known by names and have none.
  func warnOfMissingHostnames(_ plan: ClusterPlan, _ path: String) {
    guard plan.balancing.hashing.usesHostnames,
      let host = plan.hosts.first(where: { $0.hostname.isEmpty && $0.hashKey.isEmpty })
    else { return }
    warn(
      "\(path).load_assignment",
      "use_hostname_for_hashing: \(host.address) has no hostname, its address stands for it")
  }
}
