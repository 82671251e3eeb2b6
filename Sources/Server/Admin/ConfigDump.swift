import ConfigLoader
import ConfigSchema
import RegularExpressions
import SwiftProtobuf

/// `/config_dump`: the configuration in use (`envoy.admin.v3.ConfigDump`), one cluster or listener a piece.
struct ConfigDump {
  private typealias Step = JSONPieces.Step

  private let bootstrap: Envoy_Config_Bootstrap_V3_Bootstrap
  private let updated: JSONValue
  private let mask: FieldMask?
  private let names: AdminFilter?

  /// One repeated field of a dump.
  private struct Resource {
    /// For example `static_clusters`.
    let field: String
    /// The message that an element is: `ClustersConfigDump.StaticCluster`.
    let element: String
    /// The element's field with the configuration.
    let content: String
    let count: Int
    /// The resources at a position, with their names; made when they are printed.
    let make: (Int) -> [(name: String, value: () -> JSONValue)]
  }

  /// Fields of dumps that belong to discovery, which this process does not do: always empty.
  private static let emptyFields: [String: [String]] = [
    "ClustersConfigDump": ["dynamic_active_clusters", "dynamic_warming_clusters"],
    "ListenersConfigDump": ["dynamic_listeners"],
    "RoutesConfigDump": ["dynamic_route_configs"],
  ]

  static func answer(
    _ request: AdminRequest, _ configuration: AdminConfiguration?
  ) -> AdminResponse {
    guard let configuration else {
      return .text("There is no configuration yet.\n", status: 503)
    }
    ExtensionTypes.register()
    var names: AdminFilter?
    if let pattern = request["name_regex"], !pattern.isEmpty {
      do {
        names = try AdminFilter(pattern)
      } catch {
        return .badRequest("Error while parsing name_regex from \(pattern): \(error.message)\n")
      }
    }
    let mask = request["mask"].flatMap { $0.isEmpty ? nil : FieldMask($0) }
    let dump = ConfigDump(
      bootstrap: configuration.bootstrap,
      updated: MessageJSON.timestamp(nanoseconds: configuration.loadedAtNanoseconds), mask: mask,
      names: names)
    if let resource = request["resource"], !resource.isEmpty {
      return dump.answer(resource: resource)
    }
    return dump.answerAll()
  }

  // MARK: All

  private func answerAll() -> AdminResponse {
    var steps: [Step] = [.beginObject(nil), .beginArray("configs")]
    var applies = false
    if names == nil, accepts(["bootstrap", "last_updated"]) {
      applies = true
      appendBootstrap(to: &steps)
    }
    for (kind, resources) in dumps {
      let fields = resources.map(\.field) + (Self.emptyFields[kind] ?? [])
      guard accepts(Set(fields + ["version_info"])) else { continue }
      applies = true
      steps.append(.beginObject(nil))
      steps.append(.field("@type", { .string("type.googleapis.com/envoy.admin.v3.\(kind)") }))
      for resource in resources where mask?.keeps(resource.field) ?? true {
        steps.append(
          .list(resource.field, count: resource.count) { index in
            elements(of: resource, at: index).map { value in
              mask?.applied(to: value, of: resource.field) ?? value
            }
          })
      }
      steps.append(.end)
    }
    guard applies else {
      return .badRequest(
        "FieldMask \(mask?.text ?? "") could not be successfully applied to any configs.\n")
    }
    steps += [.end, .end]
    return .pieces(JSONPieces(steps), .json)
  }

  private func accepts(_ fields: Set<String>) -> Bool {
    mask?.names(onlyFieldsOf: fields) ?? true
  }

  private func appendBootstrap(to steps: inout [Step]) {
    steps.append(.beginObject(nil))
    steps.append(
      .field("@type", { .string("type.googleapis.com/envoy.admin.v3.BootstrapConfigDump") }))
    if let mask {
      if mask.keeps("bootstrap") {
        steps.append(
          .field("bootstrap") { mask.applied(to: MessageJSON.tree(bootstrap), of: "bootstrap") })
      }
    } else {
      appendBootstrapFields(to: &steps)
    }
    if mask?.keeps("last_updated") ?? true { steps.append(.field("last_updated", { updated })) }
    steps.append(.end)
  }

  /// The bootstrap as it is, but its long lists piece by piece.
  private func appendBootstrapFields(to steps: inout [Step]) {
    var rest = bootstrap
    rest.staticResources.listeners = []
    rest.staticResources.clusters = []
    guard case .object(let fields) = MessageJSON.tree(rest) else { return }
    steps.append(.beginObject("bootstrap"))
    for field in fields {
      guard field.name == "static_resources", bootstrap.hasStaticResources else {
        if field.name != "static_resources" { steps.append(.field(field.name, { field.value })) }
        continue
      }
      let resources = bootstrap.staticResources
      steps.append(.beginObject("static_resources"))
      steps.append(
        .list("listeners", count: resources.listeners.count) {
          [MessageJSON.tree(resources.listeners[$0])]
        })
      steps.append(
        .list("clusters", count: resources.clusters.count) {
          [MessageJSON.tree(resources.clusters[$0])]
        })
      if case .object(let others) = field.value {
        for other in others { steps.append(.field(other.name, { other.value })) }
      }
      steps.append(.end)
    }
    steps.append(.end)
  }

  // MARK: One kind of resource

  private func answer(resource name: String) -> AdminResponse {
    if name == "bootstrap" {
      return .badRequest(
        "bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field\n")
    }
    if Self.emptyFields.values.contains(where: { $0.contains(name) }) { return .json(.object([])) }
    for (kind, resources) in dumps {
      guard let resource = resources.first(where: { $0.field == name }) else { continue }
      guard accepts([resource.content, "last_updated"]) else {
        return .badRequest("FieldMask \(mask?.text ?? "") could not be successfully used.\n")
      }
      let type = JSONValue.Field(
        "@type", .string("type.googleapis.com/envoy.admin.v3.\(kind).\(resource.element)"))
      return .pieces(
        JSONPieces([
          .beginObject(nil),
          .list("configs", count: resource.count) { index in
            elements(of: resource, at: index).map { element in
              let value = mask?.applied(to: element) ?? element
              guard case .object(let fields) = value else { return value }
              return .object([type] + fields)
            }
          },
          .end,
        ]), .json)
    }
    return .text("\(name) not found in config dump\n", status: 404)
  }

  private func elements(of resource: Resource, at index: Int) -> [JSONValue] {
    resource.make(index).compactMap { name, value in
      if let names, !names.accepts(name) { return nil }
      return .object([
        .init(resource.content, value()), .init("last_updated", updated),
      ])
    }
  }

  // MARK: What there is

  private var dumps: [(kind: String, resources: [Resource])] {
    let resources = bootstrap.staticResources
    return [
      (
        "ClustersConfigDump",
        [
          Resource(
            field: "static_clusters", element: "StaticCluster", content: "cluster",
            count: resources.clusters.count
          ) { index in
            let cluster = resources.clusters[index]
            return [(cluster.name, { MessageJSON.typed(cluster) })]
          }
        ]
      ),
      (
        "ListenersConfigDump",
        [
          Resource(
            field: "static_listeners", element: "StaticListener", content: "listener",
            count: resources.listeners.count
          ) { index in
            let listener = resources.listeners[index]
            return [(listener.name, { MessageJSON.typed(listener) })]
          }
        ]
      ),
      (
        "RoutesConfigDump",
        [
          Resource(
            field: "static_route_configs", element: "StaticRouteConfig", content: "route_config",
            count: resources.listeners.count
          ) { index in
            Self.routes(of: resources.listeners[index]).map { route in
              (route.name, { MessageJSON.typed(route) })
            }
          }
        ]
      ),
    ]
  }

  /// The route configurations that are written inside a listener's connection managers.
  private static func routes(
    of listener: Envoy_Config_Listener_V3_Listener
  ) -> [Envoy_Config_Route_V3_RouteConfiguration] {
    typealias Manager =
      Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager
    var chains = listener.filterChains
    if listener.hasDefaultFilterChain { chains.append(listener.defaultFilterChain) }
    return chains.flatMap(\.filters).compactMap { filter in
      guard let manager = filter.typedConfig.unpacked(as: Manager.self),
        case .routeConfig(let route) = manager.routeSpecifier
      else { return nil }
      return route
    }
  }
}
