import ConfigLoader
import ConfigSchema
import HTTPCore
import Primitives
import Proxy
import SwiftProtobuf

/// What a filter does with a request.
struct FilterEffect {
  /// In words, after the filter's name.
  var says: String?
  /// It answers every such request, and nothing behind it sees one: with what.
  var ends: Explanation.Outcome?

  /// - Parameter what: `200 because the path is /healthz`.
  static func answers(_ what: String, by filter: Explanation.Filter, fails: Bool = false) -> FilterEffect {
    let words = what.split(separator: " ", maxSplits: 1).map(String.init)
    let told = "\(words[0]) from the \(filter.shortType) filter" + (words.count > 1 ? " \(words[1])" : "")
    return FilterEffect(says: "answers itself: \(what)", ends: fails ? .failed(told) : .answered(told))
  }
}

/// One filter of a chain, asked about a request.
struct AskedFilter {
  let at: RoutedRequest
  let proto: RequestChain.FilterProto
  let shown: Explanation.Filter
  /// Compiled settings of the route.
  let own: AnyObject?
  let levels: [FilterLevel]
  let isUpgrade: Bool

  /// The settings that count: the route's, or the filter's own.
  func settings<Settings: Message>(as type: Settings.Type) -> Settings {
    levels.lazy.compactMap { $0.settings.unpacked(as: type) }.first ?? proto.typedConfig.unpacked(as: type) ?? Settings()
  }
}

/// The HTTP filters that a request passes, in order.
extension Explainer {
  /// - Returns: False when a filter answers.
  func explainFilters(_ at: RoutedRequest, _ chain: RequestChain, _ explanation: inout Explanation) -> Bool {
    var step = Explanation.Step(name: "filters")
    step.taken = Explanation.Part(text: chain.name(at), place: place(chain.path))
    let compiled = chain.chain.all
    var ended: Explanation.Outcome?
    for (index, proto) in chain.protos.enumerated() {
      var filter = Explanation.Filter(
        name: proto.name, type: proto.typedConfig.messageName, place: place("\(chain.path)[\(index)]"))
      if ended != nil {
        filter.state = .notReached
      } else if compiled.indices.contains(index) {
        let levels = at.levels(of: proto.name)
        let own = at.route.flatMap {
          RouteTableConfig.filterSetting(at.table, place: index, base: chain.base, route: $0.number, weightedCluster: $0.weighted)
        }
        if own is DisabledFilter || at.route == nil && chain.chain.isDisabled(index) {
          filter.state = .disabled(
            levels.first.map { Explanation.Part(text: $0.name, place: place($0.path)) }
              ?? Explanation.Part(text: "disabled: true", place: filter.place))
        } else {
          filter.settings = settingsThatCount(compiled[index], levels)
          let effect = effect(
            compiled[index],
            AskedFilter(at: at, proto: proto, shown: filter, own: own, levels: levels, isUpgrade: chain.isUpgrade))
          filter.says = effect.says
          ended = effect.ends
        }
      }
      step.filters.append(filter)
    }
    explanation.steps.append(step)
    guard let ended else { return true }
    explanation.outcome = ended
    return false
  }

  /// Of most filters the most specific settings count alone; policies and header changes add up.
  private func settingsThatCount(_ filter: HTTPFilter, _ levels: [FilterLevel]) -> [Explanation.Part] {
    let all = levels.filter { !$0.settings.typeURL.isEmpty }.map { Explanation.Part(text: $0.name, place: place($0.path)) }
    return filter is CorsFilter || filter is HeaderMutationFilter ? all : Array(all.prefix(1))
  }

  private func effect(_ filter: HTTPFilter, _ asked: AskedFilter) -> FilterEffect {
    switch filter {
    case let filter as HealthCheckFilter: healthCheck(filter, asked)
    case let filter as FaultFilter: fault(filter, asked)
    case let filter as CorsFilter: cors(filter, asked)
    case let filter as BufferFilter: buffer(filter, asked)
    case let filter as HeaderMutationFilter: headerMutation(filter, asked)
    case is GRPCWebFilter, is GRPCHTTP1BridgeFilter, is GRPCHTTP1ReverseBridgeFilter: grpc(filter, asked)
    default: FilterEffect()
    }
  }
}
