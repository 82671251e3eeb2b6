import Testing

@testable import Stats

@Suite struct RegistryTests {
  @Test func valuesAreSummedOverSlabs() throws {
    let registry = try makeRegistry(slabs: 3)
    let counter = registry.counter("c")
    let gauge = registry.gauge("g")
    registry.slabs[0].increment(counter)
    registry.slabs[2].add(counter, 41)
    registry.slabs[0].add(gauge, 5)
    registry.slabs[1].subtract(gauge, 2)
    #expect(registry.value("c") == 42)
    #expect(registry.value("g") == 3)
    registry.slabs[1].subtract(gauge, 10)
    #expect(registry.value("g") == 0, "a negative sum is shown as 0")
    registry.mainSlab.set(gauge, to: 17)
    registry.slabs[1].add(gauge, 12)
    #expect(registry.value("g") == 17)
  }

  @Test func metricsAreUsedOnceWritten() throws {
    let registry = try makeRegistry()
    let counter = registry.counter("c")
    let gauge = registry.gauge("g")
    let set = registry.gauge("s")
    let histogram = registry.histogram("h")
    #expect(registry.metrics.allSatisfy { !registry.isUsed($0) })
    let slab = registry.slabs[1]
    slab.increment(counter)
    slab.increment(gauge)
    slab.decrement(gauge)
    slab.set(set, to: 0)
    slab.record(histogram, 0)
    #expect(registry.metrics.count == 4)
    #expect(registry.metrics.allSatisfy { registry.isUsed($0) })
    #expect(registry.value("g") == 0)
  }

  @Test func theSameNameIsTheSameMetric() throws {
    let registry = try makeRegistry()
    let old = registry.makeScope(prefix: "cluster.a.")
    let counter = old.counter("x")
    registry.mainSlab.increment(counter)
    let new = registry.makeScope(prefix: "cluster.a.")
    #expect(new.counter("x") == counter)
    #expect(registry.counter("cluster.a.x") == counter)
    registry.recycle(registry.removeScope(old))
    registry.recycle(registry.removeScope(new))
    #expect(registry.value("cluster.a.x") == 1, "held without a scope")
    #expect(registry.metrics.count == 1)
  }

  @Test func kindsDoNotShareNames() throws {
    let registry = try makeRegistry()
    registry.mainSlab.increment(registry.counter("x"))
    registry.mainSlab.set(registry.gauge("x"), to: 9)
    #expect(Set(registry.metrics.map { registry.value(of: $0) }) == [1, 9])
  }

  @Test func cellsAreReusedOnlyAfterRecycling() throws {
    let registry = try makeRegistry()
    let scope = registry.makeScope(prefix: "s.")
    let counter = scope.counter("c")
    let histogram = scope.histogram("h")
    let codes = scope.codeFamily("rq")
    let slab = registry.slabs[1]
    slab.add(counter, 3)
    slab.record(histogram, 77)
    slab.increment(codes, code: 200)
    let metrics = registry.metrics
    #expect(metrics.count == 3)
    let retired = registry.removeScope(scope)
    #expect(registry.metrics.isEmpty)

    let early = registry.makeScope(prefix: "early.")
    #expect(early.counter("c") != counter)
    #expect(early.histogram("h") != histogram)
    #expect(early.codeFamily("rq") != codes)
    slab.increment(counter)  // A worker that has not left yet.
    registry.recycle(retired)
    registry.recycle(retired)

    // The removed metrics keep their last values, the reused cells start at zero.
    let late = registry.makeScope(prefix: "s.")
    #expect(late.counter("c") == counter)
    #expect(late.histogram("h") == histogram)
    #expect(late.codeFamily("rq") == codes)
    #expect(registry.value("s.c") == 0)
    let reused = try #require(registry.find("s.h"))
    #expect(registry.histogram(of: reused) == HistogramReading())
    #expect(registry.find("s.rq_200") == nil)
    let removed = try #require(metrics.first { $0.name == "s.c" })
    #expect(removed.isFinal)
    #expect(registry.total(of: removed) == 4)
    let removedHistogram = try #require(metrics.first { $0.name == "s.h" })
    #expect(registry.histogram(of: removedHistogram).count == 1)
    #expect(registry.histogramCount(of: removedHistogram) == 1)
    slab.increment(codes, code: 404)
    #expect(registry.value("s.rq_404") == 1)
  }

  @Test func aRemovedScopeMakesNothing() throws {
    let registry = try makeRegistry()
    let scope = registry.makeScope(prefix: "s.")
    registry.recycle(registry.removeScope(scope))
    #expect(scope.counter("c") == .discarded)
    #expect(registry.metrics.isEmpty)
  }

  @Test func codesAppearWhenCounted() throws {
    let registry = try makeRegistry()
    let codes = registry.codeFamily("cluster.a.upstream_rq")
    #expect(registry.metrics.isEmpty)
    for code: UInt16 in [100, 200, 200, 599, 99, 600, 0, .max] {
      registry.slabs[1].increment(codes, code: code)
    }
    #expect(registry.metrics.map(\.name) == [100, 200, 599].map { "cluster.a.upstream_rq_\($0)" })
    #expect(registry.value("cluster.a.upstream_rq_200") == 2)
    let metric = try #require(registry.find("cluster.a.upstream_rq_599"))
    #expect(metric.tagExtractedName == "cluster.upstream_rq")
    #expect(
      registry.counter("cluster.a.upstream_rq_200") == .discarded,
      "the cell belongs to the family")
  }

  @Test func resettingChangesWhatIsShownOnly() throws {
    let registry = try makeRegistry()
    let counter = registry.counter("c")
    let gauge = registry.gauge("g")
    registry.slabs[1].add(counter, 5)
    registry.slabs[1].add(gauge, 5)
    registry.resetCounters()
    registry.slabs[1].increment(counter)
    let metric = try #require(registry.find("c"))
    #expect(registry.value(of: metric) == 1)
    #expect(registry.total(of: metric) == 6)
    #expect(registry.isUsed(metric))
    #expect(registry.value("g") == 5)
  }

  @Test func namesAreSanitized() throws {
    let registry = try makeRegistry()
    _ = registry.counter("listener.[::1]:80.a\nb")
    #expect(registry.metrics.map(\.name) == ["listener.[__1]_80.a_b"])
  }

  @Test func aFullSlabDiscards() throws {
    let registry = try makeRegistry { $0.slabBytes = 0 }
    var histograms: Set<Histogram> = []
    while registry.metricsWithoutCells == 0, histograms.count < 100 {
      histograms.insert(registry.histogram("h\(histograms.count)"))
    }
    #expect(registry.metricsWithoutCells == 1)
    #expect(histograms.contains(.discarded))
    #expect(registry.metrics.count == histograms.count - 1)
    registry.mainSlab.record(.discarded, .max)
    registry.mainSlab.increment(.discarded, code: 200)
    registry.mainSlab.increment(Counter.discarded)
    registry.mainSlab.increment(Gauge.discarded)
    #expect(registry.metrics.allSatisfy { !registry.isUsed($0) })
  }

  @Test func departedMetricsKeepTheirLastCounts() throws {
    let registry = try makeRegistry()
    registry.trackDepartures()
    let scope = registry.makeScope(prefix: "s.")
    let counter = scope.counter("c")
    let codes = scope.codeFamily("rq")
    let retired = registry.removeScope(scope)
    registry.slabs[1].add(counter, 2)
    registry.slabs[1].increment(codes, code: 503)
    registry.recycle(retired)
    let departed = registry.takeDeparted()
    #expect(Set(departed.map(\.name)) == ["s.c", "s.rq_503"])
    #expect(departed.map { registry.total(of: $0) }.reduce(0, +) == 3)
    #expect(registry.takeDeparted().isEmpty)
  }

  @Test func snapshotsAreImmutableAndShared() throws {
    let registry = try makeRegistry()
    _ = registry.counter("b")
    let first = registry.snapshot
    #expect(registry.snapshot === first)
    _ = registry.counter("a")
    _ = registry.histogram("0")
    let second = registry.snapshot
    #expect(first.metrics.map(\.name) == ["b"])
    #expect(second.metrics.map(\.name) == ["a", "b", "0"])
    #expect(second.version > first.version)
  }

  /// A hidden scope's blocks begin on a cache line, count apart, and come back empty.
  @Test func blocksOfCounters() throws {
    let registry = try makeRegistry { _ in }
    let scope = registry.makeScope(prefix: "", isHidden: true)
    let (one, other) = (try #require(scope.counterBlock()), try #require(scope.counterBlock()))
    #expect(registry.makeScope(prefix: "named.").counterBlock() == nil)
    for index in 0..<CounterBlock.count {
      for _ in 0...index { registry.mainSlab.increment(one, index: index) }
    }
    registry.mainSlab.increment(other, index: 31)
    #expect(registry.values(of: one) == (1...32).map { UInt64($0) })
    #expect(registry.values(of: other) == [UInt64](repeating: 0, count: 31) + [1])
    registry.recycle(registry.removeScope(scope))
    let again = registry.makeScope(prefix: "", isHidden: true)
    let blocks = [try #require(again.counterBlock()), try #require(again.counterBlock())]
    #expect(Set(blocks) == [one, other])
    for block in blocks { #expect(registry.values(of: block) == [UInt64](repeating: 0, count: 32)) }
  }

  /// Who judges by a counter must know whether it is one.
  @Test func countersWithoutACellSaySo() throws {
    let registry = try makeRegistry { $0.slabBytes = 1 << 20 }
    let scope = registry.makeScope(prefix: "", isHidden: true)
    #expect(!scope.counter("first").isDiscarded)
    for _ in 0..<(1 << 20) / 8 { _ = scope.counter("more") }
    #expect(scope.counter("last").isDiscarded)
    #expect(scope.counterBlock() == nil)
  }
}
