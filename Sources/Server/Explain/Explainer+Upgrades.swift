import ConfigSchema
import HTTPCore
import Primitives
import Proxy
import Routing

/// The list of HTTP filters that a request passes.
struct RequestChain {
  typealias FilterProto = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter

  let chain: FilterChain
  let protos: [FilterProto]
  /// Place of the list.
  let path: String
  /// Where it begins among the filters that the route table knows.
  var base = 0
  var isUpgrade = false

  init(_ at: RoutedRequest) {
    chain = at.manager.pointee.filters
    protos = at.proto.httpFilters
    path = "\(at.path).http_filters"
  }

  /// - Parameter rule: Index into `upgrade_configs`; nil: none of them is about the request.
  init(upgrade rule: Int?, _ at: RoutedRequest) {
    self.init(at)
    isUpgrade = true
    guard let rule, let own = at.manager.pointee.upgrades.buffer[rule].filters else { return }
    self = RequestChain(
      chain: own, protos: at.proto.upgradeConfigs[rule].filters, path: "\(at.path).upgrade_configs[\(rule)].filters",
      base: at.manager.pointee.upgrades.buffer[rule].filterBase, isUpgrade: true)
  }

  private init(chain: FilterChain, protos: [FilterProto], path: String, base: Int, isUpgrade: Bool) {
    self.chain = chain
    self.protos = protos
    self.path = path
    self.base = base
    self.isUpgrade = isUpgrade
  }

  /// `http_filters`, `upgrade_configs[0].filters`
  func name(_ at: RoutedRequest) -> String { String(path.dropFirst(at.path.count + 1)) }
}

/// Requests that ask to leave HTTP.
extension Explainer {
  /// The filters that the request passes; nil: it is refused.
  func explainUpgrade(_ at: RoutedRequest, _ explanation: inout Explanation) -> RequestChain? {
    guard let type = upgradeType(at) else { return RequestChain(at) }
    var step = Explanation.Step(name: "upgrade")
    guard at.headers.pointee.occurrences(.upgrade) <= 1 else {
      explanation.outcome = .failed("403: the request names more than one upgrade")
      return nil
    }
    let frozen = FrozenText(type)
    let verdict = withExtendedLifetime(frozen) {
      HTTPConnectionManagerConfig.upgrade(at.manager, to: frozen.view, route: at.route?.number, of: at.table)
    }
    switch verdict {
    case .allowed(let rule):
      step.taken = Explanation.Part(
        text: "\(type), which \(rule.map { "upgrade_configs[\($0)]" } ?? "the route") allows",
        place: (rule.map { "\(at.path).upgrade_configs[\($0)]" } ?? at.route.map { "\($0.path).route.upgrade_configs" }).flatMap(place))
      if at.request.method == "CONNECT", let route = at.route, at.table.pointee.table.lookup.route(route.number).pointee.terminatesConnect {
        step.add("", "CONNECT ends here: a host of the cluster gets the bytes")
      }
      explanation.steps.append(step)
      return RequestChain(upgrade: rule, at)
    case .refused(let byRoute, let rule):
      let why =
        byRoute ? "upgrade_configs of the route switches it off"
        : rule.map { "upgrade_configs[\($0)] switches it off" } ?? "upgrade_configs of neither the route nor the connection manager has it"
      step.rejected.append(
        Explanation.Rejection(
          what: type, why: why,
          place: (byRoute ? at.route.map { "\($0.path).route.upgrade_configs" } : rule.map { "\(at.path).upgrade_configs[\($0)]" }).flatMap(place)))
      explanation.steps.append(step)
      explanation.outcome = .failed("403: the upgrade to \(type) is not allowed: \(why)")
      return nil
    }
  }

  /// What the request asks to become; nil: it stays what it is.
  func upgradeType(_ at: RoutedRequest) -> String? {
    // CONNECT that no route takes is a request like any other.
    if at.request.method == "CONNECT" { return at.route == nil ? nil : "CONNECT" }
    guard let type = at.headers.pointee.value(.upgrade)?.string, !type.isEmpty else { return nil }
    func elements(_ text: String) -> [String] {
      text.lowercased().split(separator: ",").map { element in String(element.filter { $0 != " " && $0 != "\t" }) }
    }
    // Who leaves Connection out means it.
    let options = at.request.headers.filter { $0.name == "connection" }
    guard options.isEmpty || options.contains(where: { elements($0.value).contains("upgrade") }) else { return nil }
    return elements(type).contains("h2c") ? nil : type
  }
}
