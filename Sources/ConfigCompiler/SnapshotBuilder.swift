import ConfigSchema
import Proxy
import Stats

/// Makes a snapshot from a plan and what the compiler remembers. Cannot fail.
struct SnapshotBuilder {
  let registry: StatsRegistry
  let pass: CompilerPass

  func build(_ plan: ConfigurationPlan, _ opened: OpenedSockets) -> Compilation {
    var changes = Compilation.Changes()
    let lastGeneration = pass.state.generation
    pass.state.generation += 1
    buildClusters(plan, &changes)
    let listeners = buildListeners(plan, opened, &changes)
    for update in pass.tlsUpdates { update.apply() }
    keepSecrets()
    giveUpUnused(lastGeneration)
    pass.state.liveGenerations.insert(pass.state.generation)
    return Compilation(
      snapshot: snapshot(listeners), warnings: pass.warnings, logTargets: pass.state.logTargets,
      admin: plan.admin, sinks: plan.sinks,
      flushIntervalMilliseconds: plan.flushIntervalMilliseconds,
      removedListenerNames: changes.listenersRemoved, changes: changes)
  }

  // MARK: Clusters

  private func buildClusters(_ plan: ConfigurationPlan, _ changes: inout Compilation.Changes) {
    let builder = ClusterBuilder(registry: registry, now: pass.options.now)
    for cluster in plan.clusters {
      let name = cluster.proto.name
      let previous = pass.state.clusters[name]
      if previous == nil {
        changes.clustersAdded.append(name)
      } else {
        changes.clustersModified.append(name)
      }
      let slot = pass.state.clusterSlot(name)
      pass.state.clusters[name] = builder.build(
        cluster, slot: slot, previous: previous, state: &pass.state)
    }
    for name in pass.state.clusters.keys.sorted() where !pass.clusterNames.contains(name) {
      changes.clustersRemoved.append(name)
      pass.state.clusters[name] = nil
    }
    let shown = Set(pass.state.buildHostSets() + plan.clusters.map(\.proto.name))
    for name in shown { pass.state.clusters[name]?.showMembership(registry) }
  }

  // MARK: Listeners

  private func buildListeners(
    _ plan: ConfigurationPlan, _ opened: OpenedSockets, _ changes: inout Compilation.Changes
  ) -> [Frozen<ListenerConfig>] {
    let previous = pass.state.listeners
    let builder = ListenerBuilder(
      registry: registry, workerNames: pass.options.workerNames, pass: pass)
    var records: [String: ListenerRecord] = [:]
    var list: [Frozen<ListenerConfig>] = []
    for listener in plan.listeners {
      let record: ListenerRecord
      switch listener.change {
      case .none(let known): record = known
      case .routes(let known, let tables):
        record = known.replacing(tables, proto: listener.proto, registry)
        changes.routesModified.append(listener.name)
      case .all(let blueprint):
        let (sockets, bound) = opened[listener.name] ?? ([], blueprint.addresses)
        record = builder.build(blueprint, listener, sockets: sockets, bound: bound)
        if let old = previous[listener.name] {
          changes.listenersModified.append(listener.name)
          retire(old)
        } else {
          changes.listenersAdded.append(listener.name)
        }
      }
      records[listener.name] = record
      list.append(record.frozen)
    }
    for (name, old) in previous.sorted(by: { $0.key < $1.key }) where records[name] == nil {
      changes.listenersRemoved.append(name)
      retire(old)
    }
    pass.state.listeners = records
    return list
  }

  /// Keeps what draining connections of a listener need.
  private func retire(_ record: ListenerRecord) {
    pass.state.retired.append(
      RetiredListener(
        config: record.frozen, tables: record.tables,
        clusterNames: record.references.map(\.name)))
  }

  // MARK: What nobody uses any more

  private func giveUpUnused(_ lastGeneration: UInt64) {
    for gone in pass.state.retired where gone.config == nil {
      for table in gone.tables {
        pass.state.routeTableSlots.giveUp(table.slot, lastGeneration: lastGeneration)
      }
    }
    pass.state.retired.removeAll { $0.config == nil }
    let listeners = pass.state.listeners
    pass.state.limiters = pass.state.limiters.filter { listeners[$0.key.listener] != nil }

    var used = pass.clusterNames
    func use(_ references: [ClusterReference]) {
      for reference in references { used.insert(reference.name) }
    }
    for record in listeners.values {
      use(record.references)
      for table in record.tables { use(table.references) }
    }
    for gone in pass.state.retired {
      used.formUnion(gone.clusterNames)
      for table in gone.tables { use(table.references) }
    }
    pass.state.giveUpCheckSlots(lastGeneration: lastGeneration)
    guard used.count != pass.state.clusterSlotsByName.count else { return }
    for (name, slot) in pass.state.clusterSlotsByName where !used.contains(name) {
      pass.state.clusterSlots.giveUp(slot, lastGeneration: lastGeneration)
      pass.state.clusterSlotsByName[name] = nil
    }
  }

  // MARK: The snapshot

  private func snapshot(_ listeners: [Frozen<ListenerConfig>]) -> Snapshot {
    let state = pass.state
    var clusters = [Frozen<ClusterConfig>?](repeating: nil, count: state.clusterSlots.count)
    var hosts = [Frozen<HostSet>?](repeating: nil, count: state.clusterSlots.count)
    for record in state.clusters.values {
      let slot = Int(record.frozen.pointer.pointee.slot)
      clusters[slot] = record.frozen
      hosts[slot] = record.ledger.set
    }
    var tables = [Frozen<RouteTableConfig>?](repeating: nil, count: state.routeTableSlots.count)
    for gone in state.retired {
      for table in gone.tables { tables[Int(table.slot)] = table.frozen }
    }
    for record in state.listeners.values {
      for table in record.tables { tables[Int(table.slot)] = table.frozen }
    }
    return Snapshot(
      generation: state.generation, clusters: clusters, hosts: hosts, routeTables: tables,
      listeners: listeners,
      upstreamDetails: state.listeners.values.reduce(into: []) { $0.formUnion($1.mentions.upstream ?? []) },
      workerCount: pass.options.workerNames.count)
  }
}

extension ListenerRecord {
  /// The same listener with some other route tables in the same places.
  fileprivate func replacing(
    _ plans: [Int: RouteTablePlan], proto: Envoy_Config_Listener_V3_Listener,
    _ registry: StatsRegistry
  ) -> ListenerRecord {
    var record = self
    record.proto = proto
    for (index, plan) in plans {
      let old = tables[index]
      record.tables[index] = RouteTableRecord(
        slot: old.slot, path: old.path, proto: plan.proto, frozen: plan.frozen(registry),
        references: plan.references)
    }
    return record
  }
}
