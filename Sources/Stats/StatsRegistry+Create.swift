import Synchronization

extension StatsRegistry {
  /// Makes a scope whose metrics live until it is removed.
  ///
  /// - Parameters:
  ///   - prefix: Put before every name as it is; for example `cluster.backend.`.
  ///   - isHidden: For numbers that only a page of its own shows, such as those of each host.
  public func makeScope(prefix: String, isHidden: Bool = false) -> StatsScope {
    let id = state.withLock { state in
      let id = state.takeSerial()
      if isHidden { state.hiddenScopes[id] = HiddenCells() } else { state.scopes[id] = [] }
      return id
    }
    return StatsScope(registry: self, id: id, prefix: prefix, isHidden: isHidden)
  }

  /// A cell that only its handle knows.
  func hiddenCell(scope: UInt64) -> UInt32 {
    state.withLock { state in
      guard state.hiddenScopes[scope] != nil else { return CellLayout.scratchScalar }
      guard let cell = state.allocator.takeScalar() else {
        state.withoutCells += 1
        return CellLayout.scratchScalar
      }
      state.hiddenScopes[scope]?.scalars.append(cell)
      return cell
    }
  }

  /// Counters that only their handle knows; nil when there is no room for them.
  func hiddenBlock(scope: UInt64) -> CounterBlock? {
    state.withLock { state in
      guard state.hiddenScopes[scope] != nil, let cell = state.allocator.takeBlock() else { return nil }
      state.hiddenScopes[scope]?.blocks.append(cell)
      return CounterBlock(cell: cell)
    }
  }

  // Metrics that are never removed.

  public func counter(_ name: String) -> Counter { counter(name, scope: nil) }
  public func gauge(_ name: String) -> Gauge { gauge(name, scope: nil) }
  public func histogram(_ name: String, unit: HistogramUnit = .milliseconds) -> Histogram {
    histogram(name, unit: unit, scope: nil)
  }
  public func codeFamily(_ name: String) -> CodeFamily { codeFamily(name, scope: nil) }
  public func namedFamily(_ name: String, _ names: FamilyNames) -> NamedFamily {
    namedFamily(name, names, scope: nil)
  }
  public func setText(_ name: String, to text: String) { setText(name, to: text, scope: nil) }

  func counter(_ name: String, scope: UInt64?) -> Counter {
    Counter(cell: make(.counter, name, scope: scope)?.cell ?? CellLayout.scratchScalar)
  }

  func gauge(_ name: String, scope: UInt64?) -> Gauge {
    Gauge(cell: make(.gauge, name, scope: scope)?.cell ?? CellLayout.scratchScalar)
  }

  func histogram(_ name: String, unit: HistogramUnit, scope: UInt64?) -> Histogram {
    let metric = make(.histogram, name, unit: unit, scope: scope)
    return Histogram(cell: metric?.cell ?? CellLayout.scratchHistogram)
  }

  func codeFamily(_ name: String, scope: UInt64?) -> CodeFamily {
    let metric = make(.family, name, naming: .codes, scope: scope)
    return CodeFamily(cell: metric?.cell ?? CellLayout.scratchFamily)
  }

  func namedFamily(_ name: String, _ names: FamilyNames, scope: UInt64?) -> NamedFamily {
    let metric = make(.family, name, naming: .table(names), scope: scope)
    return NamedFamily(cell: metric?.cell ?? CellLayout.scratchFamily)
  }

  func setText(_ name: String, to text: String, scope: UInt64?) {
    make(.text, name, scope: scope)?.state.withLock { $0.text = text }
  }

  /// The metric of that kind and name, made if need be. Nil when the matcher rejects it, when the scope is
  /// gone, when a family counts under that name, or is there with other names, or when the slabs are full: the
  /// caller then counts into scratch cells.
  private func make(
    _ kind: Metric.Kind, _ rawName: String, unit: HistogramUnit = .unspecified,
    naming: FamilyNaming? = nil, scope: UInt64?
  ) -> Metric? {
    let name = MetricName.sanitized(rawName)
    // A family's members are judged one by one, when they appear.
    guard kind == .family || options.matcher.accepts(name) else { return nil }
    let key = Key(kind: kind, name: name)
    return state.withLock { state in
      if let scope {
        guard state.scopes[scope] != nil else { return nil }
      }
      let metric: Metric
      if let place = state.entries.index(forKey: key) {
        metric = state.entries.values[place].metric
        // The cell goes away with the family, so it is not for others to hold.
        guard !metric.isFamilyMember, state.families[metric.serial]?.naming == naming else { return nil }
        state.entries.values[place].references += 1
      } else {
        guard let cell = takeCell(kind, &state.allocator) else {
          state.withoutCells += 1
          return nil
        }
        metric = Metric(
          serial: state.takeSerial(), kind: kind, name: name,
          tagRules: options.tags, cell: cell, unit: unit,
          bucketBounds: kind == .histogram
            ? options.histogramBuckets.bounds(for: name, unit: unit) : [])
        state.entries[key] = Entry(metric: metric, references: 1)
        if let naming {
          state.families[metric.serial] = FamilyState(metric: metric, naming: naming)
        } else {
          state.added.append(metric)
        }
      }
      if let scope { state.scopes[scope]?.append(key) }
      return metric
    }
  }

  private func takeCell(_ kind: Metric.Kind, _ allocator: inout CellAllocator) -> UInt32? {
    switch kind {
    case .counter, .gauge: allocator.takeScalar()
    case .histogram: allocator.takeHistogram()
    case .family: allocator.takeFamily()
    case .text: CellLayout.scratchScalar
    }
  }
}
