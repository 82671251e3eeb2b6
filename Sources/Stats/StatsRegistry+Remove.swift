import Synchronization

/// Metrics that were removed, whose cells workers may still write.
public struct RetiredMetrics: Sendable {
  let id: UInt64
}

extension StatsRegistry {
  /// Removes a scope, and the metrics that no other scope holds. Handles stay safe to count with until
  /// ``recycle(_:)``; readers see the metrics no more, and the flusher still sends what is counted.
  public func removeScope(_ scope: StatsScope) -> RetiredMetrics {
    state.withLock { state in
      var retired: [Metric] = []
      for key in state.scopes.removeValue(forKey: scope.id) ?? [] {
        guard let entry = state.entries[key] else { continue }
        if entry.references > 1 {
          state.entries[key] = Entry(metric: entry.metric, references: entry.references - 1)
          continue
        }
        state.entries[key] = nil
        retired.append(entry.metric)
        state.removed.insert(entry.metric.serial)
        for member in (state.families[entry.metric.serial]?.members ?? [:]).values {
          remove(member: member, &state)
        }
        depart(entry.metric, &state)
      }
      let ticket = state.takeSerial()
      state.quarantine[ticket] = retired
      if let cells = state.hiddenScopes.removeValue(forKey: scope.id) {
        state.hiddenQuarantine[ticket] = cells
      }
      return RetiredMetrics(id: ticket)
    }
  }

  /// Zeroes the cells of removed metrics and makes them free. The caller guarantees that no worker counts with
  /// their handles any more. A second call does nothing.
  public func recycle(_ retired: RetiredMetrics) {
    state.withLock { state in
      for metric in state.quarantine.removeValue(forKey: retired.id) ?? [] {
        if metric.kind == .family { finish(family: metric, &state) }
        finish(metric)
        zero(metric)
        state.allocator.give(back: metric.cell, of: metric.kind)
      }
      let hidden = state.hiddenQuarantine.removeValue(forKey: retired.id) ?? HiddenCells()
      for cell in hidden.scalars {
        for slab in slabs { slab.store(Int(cell), 0) }
        state.allocator.give(back: cell, of: .counter)
      }
      for block in hidden.blocks {
        for slab in slabs {
          for cell in Int(block)..<Int(block) + CounterBlock.count where slab.load(cell) != 0 { slab.store(cell, 0) }
        }
        state.allocator.give(backBlock: block)
      }
    }
  }

  /// From now on removed metrics are kept for ``takeDeparted()``.
  public func trackDepartures() { state.withLock { $0.tracksDepartures = true } }

  /// The metrics removed since the last call. For the one reader that must see their last counts.
  public func takeDeparted() -> [Metric] {
    state.withLock { state in
      discoverMembers(&state)
      defer { state.departed = [] }
      return state.departed
    }
  }

  private func remove(member: Metric, _ state: inout State) {
    let key = Key(kind: .counter, name: member.name)
    if state.entries[key]?.metric === member { state.entries[key] = nil }
    state.removed.insert(member.serial)
    depart(member, &state)
  }

  func depart(_ metric: Metric, _ state: inout State) {
    guard state.tracksDepartures, metric.kind == .counter || metric.kind == .histogram else { return }
    state.departed.append(metric)
  }

  private func finish(family: Metric, _ state: inout State) {
    discoverMembers(of: family.serial, &state)
    for member in (state.families[family.serial]?.members ?? [:]).values { finish(member) }
    state.families[family.serial] = nil
  }

  /// Fixes a metric's value, before its cells go.
  private func finish(_ metric: Metric) {
    metric.state.withLock { state in
      guard state.final == nil else { return }
      switch metric.kind {
      case .counter, .gauge:
        state.final = .scalar(sum(metric.cell), used: isWritten(metric.cell))
      case .histogram: state.final = .histogram(merge(metric.cell))
      case .family, .text: state.final = .scalar(0, used: false)
      }
    }
  }

  private func zero(_ metric: Metric) {
    let start = Int(metric.cell)
    for slab in slabs {
      switch metric.kind {
      case .counter, .gauge: slab.store(start, 0)
      case .family:
        for cell in start..<start + CellLayout.familyCells where slab.load(cell) != 0 {
          slab.store(cell, 0)
        }
      case .histogram:
        for bucket in touchedBuckets(slab, start) {
          slab.store(start + HistogramLayout.headerCells + bucket, 0)
        }
        for cell in start..<start + HistogramLayout.headerCells where slab.load(cell) != 0 {
          slab.store(cell, 0)
        }
      case .text: break
      }
    }
  }
}
