import ConfigLoader
import ConfigSchema
import Proxy
import Routing
import SwiftProtobuf

/// What one level of a route table says about filters, by their names.
typealias PerFilterLevel = [String: AnyObject]

extension RouteTableTranslator {
  /// - Parameters:
  ///   - inherited: The settings of the wider levels.
  ///   - isOutermost: At the route table itself, filters with `disabled: true` are switched off.
  func perFilterConfigs(
    _ map: [String: Google_Protobuf_Any], _ path: String, inherited: PerFilterLevel,
    isOutermost: Bool = false
  ) -> PerFilterLevel {
    var level: PerFilterLevel = [:]
    if isOutermost {
      for filter in filters where filter.isDisabled { level[filter.name] = DisabledFilter() }
    }
    for (name, any) in map.sorted(by: { $0.key < $1.key }) {
      let place = "\(path)[\"\(name)\"]"
      if let config = perFilterConfig(name, any, place, inherited: inherited[name]) {
        level[name] = config
      }
    }
    return level
  }

  /// Gives every setting a slot, in a stable order.
  func specs(_ level: PerFilterLevel) -> [FilterConfigSpec] {
    level.sorted { $0.key < $1.key }.map { name, config in
      filterConfigs.append(config)
      return FilterConfigSpec(filterName: name, slot: UInt32(filterConfigs.count - 1))
    }
  }

  private func perFilterConfig(
    _ name: String, _ any: Google_Protobuf_Any, _ path: String, inherited: AnyObject?
  ) -> AnyObject? {
    var any = any
    var isOptional = false
    var isWrapped = false
    if let wrapper = any.unpacked(as: Envoy_Config_Route_V3_FilterConfig.self) {
      isOptional = wrapper.isOptional
      isWrapped = true
      if wrapper.disabled {
        return filter(named: name, isOptional: isOptional, path) == nil ? nil : DisabledFilter()
      }
      any = wrapper.config
    }
    guard let filter = filter(named: name, isOptional: isOptional, path) else { return nil }
    if isWrapped, any.typeURL.isEmpty {
      pass.error(path, "config is required: without it only \"disabled: true\" is supported")
      return nil
    }
    guard let make = filter.makeRouteConfig else {
      pass.error(path, "the filter has no settings for routes")
      return nil
    }
    return make(any, path, inherited)
  }

  /// The filter of the chain that settings are for; others are of no use.
  private func filter(named name: String, isOptional: Bool, _ path: String) -> HTTPFilterPlan? {
    if let filter = filters.first(where: { $0.name == name }) { return filter }
    if !isOptional { pass.warn(path, "has no effect: http_filters has no filter of this name") }
    return nil
  }
}
