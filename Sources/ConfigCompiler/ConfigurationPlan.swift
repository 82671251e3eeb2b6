import ConfigLoader
import ConfigSchema
import Primitives

/// A whole configuration that was checked.
struct ConfigurationPlan {
  /// New and changed ones.
  var clusters: [ClusterPlan]
  var listeners: [ListenerPlan]
  var admin: AdminSettings?
  var sinks: [SinkSettings]
  var flushIntervalMilliseconds: Int
}

/// Sockets of the listeners that needed some, by name.
typealias OpenedSockets = [String: (sockets: [[Int32]], bound: [SocketAddress])]

extension CompilerPass {
  /// Checks everything; nil after errors.
  func plan() -> ConfigurationPlan? {
    state.clusterSlots.wake(oldest: state.liveGenerations.min() ?? .max)
    state.checkSlots.wake(oldest: state.liveGenerations.min() ?? .max)
    state.routeTableSlots.wake(oldest: state.liveGenerations.min() ?? .max)
    checkStaticSecrets()
    let clusters = clusterPlans()
    let listeners = listenerPlans()
    let bootstrap = bootstrapSettings()
    if hasErrors { return nil }
    return ConfigurationPlan(
      clusters: clusters, listeners: listeners, admin: bootstrap.admin, sinks: bootstrap.sinks,
      flushIntervalMilliseconds: bootstrap.flushIntervalMilliseconds)
  }

  /// Opens the sockets of new and changed listeners; nil after errors.
  func open(
    _ listeners: [ListenerPlan], _ sockets: inout some ListenerSockets
  ) -> OpenedSockets? {
    var opened: OpenedSockets = [:]
    for plan in listeners {
      guard case .all(let blueprint) = plan.change else { continue }
      do {
        opened[plan.name] = try sockets.sockets(
          for: plan.name, addresses: blueprint.addresses, options: blueprint.options)
      } catch {
        self.error("\(plan.path).address", error.description)
      }
    }
    return hasErrors ? nil : opened
  }

  /// By source in the order of their appearance, then by line and column.
  var sortedErrors: [Diagnostic] {
    errors.enumerated().sorted { a, b in
      guard let left = a.element.location, let right = b.element.location,
        left.file == right.file
      else { return a.offset < b.offset }
      return (left.line, left.column, a.offset) < (right.line, right.column, b.offset)
    }.map(\.element)
  }
}
