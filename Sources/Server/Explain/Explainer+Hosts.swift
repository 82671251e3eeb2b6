import Balancing
import HostHealth
import Primitives
import Proxy
import Routing
import Upstreams

/// What is asked of a cluster's hosts.
struct HostQuestion {
  enum Hash {
    case none
    case value(UInt64)
    case sourceIP(IPAddress)
  }

  var hash = Hash.none
  /// What a host's metadata are to be.
  var match: SubsetMatch?

  var hashValue: UInt64? {
    switch hash {
    case .none: nil
    case .value(let value): value
    case .sourceIP(let address): HashPolicyList.hash(address)
    }
  }
}

/// Which hosts would be chosen from, and who is out.
extension Explainer {
  private static let hostsMax = 8

  func explainHosts(_ name: String, _ question: HostQuestion, _ explanation: inout Explanation) {
    guard let cluster = clusters[name] else { return }
    var step = Explanation.Step(name: "hosts")
    if let why = explainHosts(cluster.hosts.pointer, question, &step) { explanation.outcome = .failed(why) }
    explanation.steps.append(step)
  }

  /// - Returns: Why nobody takes the request; nil when somebody does.
  private func explainHosts(
    _ whole: UnsafeMutablePointer<HostSet>, _ question: HostQuestion, _ step: inout Explanation.Step
  ) -> String? {
    var set = whole
    if let subsets = whole.pointee.subsets {
      guard let found = subset(subsets, question, whole, &step) else { return "503 UH: no subset has hosts for this request" }
      set = found
    }
    addShares(set.pointee, &step)
    let able = able(set.pointee)
    if !able.isEmpty {
      addChoice(set, able, question, &step)
      addSockets(set, able, &step)
    }
    addOut(whole.pointee, &step)
    if !able.isEmpty { return nil }
    if set.pointee.counts.total == 0 { return "503 UH: the cluster has no hosts" }
    return "503 UH: no host is up, and healthy_panic_threshold \(set.pointee.settings.levels.panicThreshold) forbids the rest"
  }

  // MARK: Subsets

  private func subset(
    _ subsets: Subsets, _ question: HostQuestion, _ whole: UnsafeMutablePointer<HostSet>, _ step: inout Explanation.Step
  ) -> UnsafeMutablePointer<HostSet>? {
    let wanted = question.match.map(\.explained) ?? "nothing"
    for way in subsets.ways(for: question.match, in: whole) {
      let isAble = !able(way.set.pointee).isEmpty
      step.add("subset", "\(way.text) (wanted: \(wanted))\(isAble ? "" : ": no host")")
      if isAble || way.isLast { return way.set }
    }
    step.add("subset", "none (wanted: \(wanted))")
    return nil
  }

  // MARK: Shares

  private func addShares(_ set: HostSet, _ step: inout Explanation.Step) {
    let factor = Double(set.settings.levels.overprovisioningFactor) / 100
    for (number, level) in set.levels.buffer.enumerated() {
      let hosts = level.hosts
      var text = "takes \(level.share.load) %"
      if level.share.degradedLoad > 0 { text += " and \(level.share.degradedLoad) % by degraded hosts" }
      text += ": \(hosts.healthy) of \(hosts.total - min(hosts.total, hosts.excluded)) hosts are healthy (x \(factor))"
      if level.share.isPanic { text += level.share.fails ? "; in panic: requests fail" : "; in panic: all hosts are tried" }
      step.add("priority \(number)", text)
    }
    let facts = BalancingFacts(set)
    if let zone = facts.zone {
      step.add("zone", zone.facts.map { "\($0.name) \($0.value.plain)" }.joined(separator: ", "))
      for part in zone.parts { step.add("", part.name.replacingPairs + ": " + part.facts.prefix(1).map { "\($0.name) \($0.value.plain)" }.joined()) }
    }
    for priority in facts.priorities {
      for part in priority.parts { step.add("", part.name.replacingPairs + ": " + part.facts.prefix(2).map { "\($0.name) \($0.value.plain)" }.joined(separator: ", ")) }
    }
  }

  /// Indices of hosts that may be chosen.
  private func able(_ set: HostSet) -> [Int] {
    var able: Set<Int> = []
    for step in set.steps.buffer {
      let level = set.levels.buffer[Int(step.level)]
      let list: UInt32
      if level.share.isPanic {
        if level.share.fails { continue }
        list = level.all
      } else {
        list = step.isDegraded ? level.degraded : level.healthy
      }
      let entry = set.lists.buffer[Int(list)]
      for index in set.members.buffer[Int(entry.first)..<Int(entry.first + entry.count)] { able.insert(Int(index)) }
    }
    return able.sorted()
  }

  private func addChoice(
    _ set: UnsafeMutablePointer<HostSet>, _ able: [Int], _ question: HostQuestion, _ step: inout Explanation.Step
  ) {
    let policy = set.pointee.settings.policy
    func address(_ index: Int) -> String { set.pointee.hosts.buffer[index].pointer.pointee.text.view.string }
    if policy.hashes, let hash = question.hashValue {
      var balancer = BalancerState()
      defer { balancer.reset() }
      var random = FastRandom(seed: 1)
      let choice = balancer.choose(set, &random, HostWish(hash: hash))
      if choice.host >= 0 {
        step.add("policy", "\(policy.name): its hash leads to \(address(Int(choice.host)))")
        return
      }
    }
    let shown = able.prefix(Self.hostsMax).map(address).joined(separator: " ")
    let more = able.count > Self.hostsMax ? " and \(able.count - Self.hostsMax) more" : ""
    step.add("policy", "\(policy.name) over \(able.count) host\(able.count == 1 ? "" : "s"): \(shown)\(more)")
    if policy.hashes { step.add("", "no hash policy gives a value: a random host") }
  }

  // MARK: How they are spoken to

  /// Which transport sockets the hosts' metadata chose, where there is a choice.
  private func addSockets(_ set: UnsafeMutablePointer<HostSet>, _ able: [Int], _ step: inout Explanation.Step) {
    var names: [String] = []
    var hosts: [String: [UnsafeMutablePointer<HostConfig>]] = [:]
    for index in able {
      let host = set.pointee.hosts.buffer[index].pointer
      guard let match = host.pointee.socketMatch?.view.string else { return }
      // Several matches may have one name.
      let name = "\(match) (\(host.pointee.transport == 0 ? "plain" : "TLS"))"
      if hosts[name] == nil { names.append(name) }
      hosts[name, default: []].append(host)
    }
    for name in names.prefix(Self.hostsMax) {
      let own = hosts[name] ?? []
      let shown = own.prefix(Self.hostsMax).map { $0.pointee.text.view.string }.joined(separator: " ")
      let more = own.count > Self.hostsMax ? " and \(own.count - Self.hostsMax) more" : ""
      step.add("transport socket", "\(name): \(shown)\(more)")
    }
    if names.count > Self.hostsMax { step.add("transport socket", "\(names.count - Self.hostsMax) more") }
  }

  // MARK: Who is out

  private func addOut(_ whole: HostSet, _ step: inout Explanation.Step) {
    var told = 0
    var more = 0
    for (index, flags) in whole.flags.buffer.enumerated() where flags.state != .healthy {
      told += 1
      if told > Self.hostsMax {
        more += 1
        continue
      }
      let host = whole.hosts.buffer[index].pointer
      var why = [flags.state == .degraded ? "degraded" : "", flags.text].filter { !$0.isEmpty }.joined(separator: " ")
      if let facts = facts?(host.pointee.number) {
        if let ejection = facts.outlier?.ejection {
          why += ", ejected by \(ejection.kind.statName), \(ejection.millisecondsLeft / 1000) s left"
        }
        if let latest = facts.checks.first?.latest { why += ", last check: \(latest.text)" }
      }
      step.add("out", "\(host.pointee.text.view.string): \(why)")
    }
    if more > 0 { step.add("out", "\(more) more") }
  }
}

extension String {
  /// `locality::eu/eu-1` as `locality eu/eu-1`.
  fileprivate var replacingPairs: String { split(separator: "::").joined(separator: " ") }
}
