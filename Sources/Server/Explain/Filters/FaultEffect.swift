import ConfigSchema
import HTTPCore
import Proxy

extension Explainer {
  func fault(_ filter: FaultFilter, _ asked: AskedFilter) -> FilterEffect {
    let settings = asked.settings(as: Envoy_Extensions_Filters_Http_Fault_V3_HTTPFault.self)
    let cluster = routeClusterName(asked.at)
    let name = cluster.map { FrozenText($0) }
    let trace = withExtendedLifetime(name) { filter.trace(asked.at.headers, own: asked.own, cluster: name?.view) }
    switch trace {
    case .exempt(.cluster):
      return FilterEffect(says: "no fault: upstream_cluster is \(settings.upstreamCluster), not \(cluster ?? "none")")
    case .exempt(.node): return FilterEffect(says: "no fault: x-envoy-downstream-service-node is not one of downstream_nodes")
    case .exempt(.header(let index)):
      let why = settings.headers.indices.contains(index) ? HeaderSentences.mismatch(settings.headers[index], asked.at.headers) : "a header"
      return FilterEffect(says: "no fault: \(why)")
    case .faults(let delay, let abort, let maxActive):
      if maxActive == 0 { return FilterEffect(says: "no fault: max_active_faults is 0") }
      let delay = delay.flatMap { $0.percentage.numerator > 0 ? $0 : nil }
      let abort = abort.flatMap { $0.percentage.numerator > 0 ? $0 : nil }
      guard delay != nil || abort != nil else { return FilterEffect(says: "no fault") }
      let why = HeaderSentences.match(settings.headers, asked.at.headers).map { " because \($0)" } ?? ""
      let limit = maxActive.map { " (while fewer than \($0) faults are active)" } ?? ""
      let wait = delay.map { "holds \($0.percentage.isAlways ? "it" : $0.percentage.share) \(Self.time($0.nanoseconds))" }
      guard let abort else { return FilterEffect(says: "\(wait ?? "")\(why)\(limit)") }
      let answer = "\(abort.status.status)\(abort.status.grpcStatus.map { " with grpc-status \($0.code)" } ?? "")"
      guard abort.percentage.isAlways else {
        let words = [wait, "answers \(abort.percentage.share) itself: \(answer)"].compactMap { $0 }.joined(separator: ", ")
        return FilterEffect(says: "\(words)\(why)\(limit)")
      }
      var effect = FilterEffect.answers("\(answer)\(why)\(limit)", by: asked.shown)
      if let wait { effect.says = "\(wait), \(effect.says ?? "")" }
      return effect
    }
  }
}

extension FaultSettings.Percentage {
  fileprivate var isAlways: Bool { numerator >= denominator }
  fileprivate var share: String { "\(Explainer.percent(Double(numerator) / Double(denominator))) % of such requests" }
}
