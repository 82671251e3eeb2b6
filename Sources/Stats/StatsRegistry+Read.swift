import Synchronization

extension StatsRegistry {
  /// All that a counter ever counted, whatever was reset. Other kinds give 0.
  public func total(of metric: Metric) -> UInt64 {
    metric.state.withLock { state in
      guard metric.kind == .counter else { return 0 }
      if case .scalar(let value, _) = state.final { return value }
      return sum(metric.cell)
    }
  }

  /// What a counter counted since it was last reset, or where a gauge stands. Other kinds give 0.
  ///
  /// A gauge whose ups and downs are read half way, on different threads, is shown as at least 0.
  public func value(of metric: Metric) -> UInt64 {
    metric.state.withLock { state in
      let raw: UInt64
      if case .scalar(let value, _) = state.final { raw = value } else { raw = sum(metric.cell) }
      switch metric.kind {
      case .counter: return raw &- state.baseline
      case .gauge:
        // 63 bits, signed.
        let signed = Int64(bitPattern: raw &<< 1) &>> 1
        return UInt64(max(0, signed))
      case .histogram, .text, .family: return 0
      }
    }
  }

  /// Where a gauge stands, below 0 too, or what a counter counted: for checks that the books are even.
  package func signedValue(of metric: Metric) -> Int64 {
    metric.state.withLock { state in
      let raw: UInt64
      if case .scalar(let value, _) = state.final { raw = value } else { raw = sum(metric.cell) }
      switch metric.kind {
      case .counter: return Int64(clamping: raw)
      case .gauge: return Int64(bitPattern: raw &<< 1) &>> 1
      case .histogram, .text, .family: return 0
      }
    }
  }

  /// All that a counter ever counted, by its handle: for hidden scopes.
  public func value(of counter: Counter) -> UInt64 { sum(counter.cell) }

  /// What each counter of a block has counted.
  public func values(of block: CounterBlock) -> [UInt64] {
    (0..<CounterBlock.count).map { sum(block.cell + UInt32($0)) }
  }

  /// Where a gauge stands, by its handle: for hidden scopes. At least 0.
  public func value(of gauge: Gauge) -> UInt64 {
    UInt64(max(0, Int64(bitPattern: sum(gauge.cell) &<< 1) &>> 1))
  }

  public func text(of metric: Metric) -> String { metric.state.withLock { $0.text } }

  /// Everything that a histogram recorded.
  public func histogram(of metric: Metric) -> HistogramReading {
    metric.state.withLock { read(metric, $0) }
  }

  /// How many values a histogram recorded: much cheaper than ``histogram(of:)``.
  public func histogramCount(of metric: Metric) -> UInt64 {
    metric.state.withLock { state in
      if case .histogram(let reading) = state.final { return reading.count }
      return metric.kind == .histogram ? sum(metric.cell + UInt32(HistogramLayout.countCell)) : 0
    }
  }

  /// What a histogram recorded between the last two calls of ``latchInterval(of:)``; nil before the first.
  public func interval(of metric: Metric) -> HistogramReading? {
    metric.state.withLock { $0.interval }
  }

  /// Starts a new interval of a histogram and returns what the one that ends here recorded. For one reader,
  /// the flusher: `/stats` shows what it latched.
  @discardableResult
  public func latchInterval(of metric: Metric) -> HistogramReading {
    metric.state.withLock { state in
      let isUnchanged = state.final == nil
        && sum(metric.cell + UInt32(HistogramLayout.countCell)) == state.latched.count
      let interval: HistogramReading
      if isUnchanged {
        interval = HistogramReading()
      } else {
        let now = read(metric, state)
        interval = now.subtracting(state.latched)
        state.latched = now
      }
      state.interval = interval
      return interval
    }
  }

  /// Whether a metric was ever written.
  public func isUsed(_ metric: Metric) -> Bool {
    metric.state.withLock { state in
      switch state.final {
      case .scalar(_, let used): return used
      case .histogram(let reading): return reading.count > 0
      case nil: return metric.kind == .text ? !state.text.isEmpty : isWritten(metric.cell)
      }
    }
  }

  /// Shows all counters as 0 from here on. Nothing is written to the cells, and what is flushed to sinks does
  /// not change.
  public func resetCounters() {
    for metric in metrics where metric.kind == .counter {
      let total = total(of: metric)
      metric.state.withLock { $0.baseline = total }
    }
  }

  // Cells, added up over the slabs.

  func sum(_ cell: UInt32) -> UInt64 {
    slabs.reduce(0) { $0 &+ $1.load(Int(cell)) }
  }

  /// True for a cell that is not zero in some slab: gauges keep a bit, counters only grow, and the first cell
  /// of a histogram counts.
  func isWritten(_ cell: UInt32) -> Bool {
    slabs.contains { $0.load(Int(cell)) != 0 }
  }

  private func read(_ metric: Metric, _ state: Metric.State) -> HistogramReading {
    if case .histogram(let reading) = state.final { return reading }
    return metric.kind == .histogram ? merge(metric.cell) : HistogramReading()
  }

  func merge(_ cell: UInt32) -> HistogramReading {
    let start = Int(cell)
    var reading = HistogramReading()
    for slab in slabs {
      let touched = touchedBuckets(slab, start)
      guard let first = touched.first, let last = touched.last else { continue }
      reading.cover(first...last)
      for bucket in touched {
        reading.add(
          slab.load(start + HistogramLayout.headerCells + bucket), toBucket: bucket)
      }
      reading.sum &+= slab.load(start + HistogramLayout.sumCell)
    }
    return reading
  }

  func touchedBuckets(_ slab: StatsSlab, _ start: Int) -> Range<Int> {
    let inverted = slab.load(start + HistogramLayout.lowestInvertedCell)
    guard inverted != 0 else { return 0..<0 }
    let count = HistogramLayout.bucketCount
    let lowest = count - Int(min(inverted, UInt64(count)))
    let highest = Int(min(slab.load(start + HistogramLayout.highestCell), UInt64(count - 1)))
    // The two are written one after the other; a reader in between may see them the wrong way round.
    return lowest..<max(lowest, highest) + 1
  }
}
