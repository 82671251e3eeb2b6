import Stats
import Synchronization
import Testing

@testable import StatsSinks

/// Counts the writers that still run.
private final class Running: Sendable {
  let count: Atomic<Int>
  init(_ count: Int) { self.count = Atomic(count) }
}

@Suite struct FlushCollectorTests {
  @Test func zeroDeltasOfUsedCountersAreTold() throws {
    let registry = try makeRegistry()
    registry.mainSlab.add(registry.counter("c"), 2)
    var collector = FlushCollector(registry: registry)
    func deltas() -> [UInt64] { collector.collect().counters.map(\.delta) }
    #expect(deltas() == [2])
    #expect(deltas() == [0])
    registry.resetCounters()
    registry.mainSlab.add(registry.counter("c"), 5)
    #expect(deltas() == [5], "a reset changes no delta")
  }

  @Test func deltasAddUpWhileThreadsCount() async throws {
    let registry = try makeRegistry(slabs: 3)
    let counter = registry.counter("c")
    let codes = registry.codeFamily("rq")
    let histogram = registry.histogram("h")
    let perWriter = 100_000
    let running = Running(2)
    var collector = FlushCollector(registry: registry)
    var counted: [String: UInt64] = [:]
    var recorded: UInt64 = 0
    func add(_ flush: StatsFlush) {
      for (metric, delta) in flush.counters { counted[metric.name, default: 0] += delta }
      for (_, interval) in flush.histograms { recorded += interval.count }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 1...2 {
        group.addTask {
          let slab = registry.slabs[writer]
          for index in 0..<perWriter {
            slab.increment(counter)
            slab.increment(codes, code: UInt16(100 + index % 500))
            slab.record(histogram, UInt64(index))
          }
          running.count.subtract(1, ordering: .releasing)
        }
      }
      while running.count.load(ordering: .acquiring) > 0 {
        add(collector.collect())
        await Task.yield()
      }
      try await group.waitForAll()
    }
    add(collector.collect())
    #expect(counted["c"] == UInt64(2 * perWriter))
    let byCode = counted.filter { $0.key.hasPrefix("rq_") }
    #expect(byCode.count == 500)
    #expect(byCode.values.allSatisfy { $0 == UInt64(2 * perWriter / 500) })
    #expect(recorded == UInt64(2 * perWriter))
  }

  @Test func removedMetricsAreToldToTheEnd() throws {
    let registry = try makeRegistry()
    var collector = FlushCollector(registry: registry)
    let scope = registry.makeScope(prefix: "s.")
    let counter = scope.counter("c")
    let histogram = scope.histogram("h")
    let codes = scope.codeFamily("rq")
    let slab = registry.slabs[1]
    var deltas: [String: UInt64] = [:]
    func collect() -> Int {
      let flush = collector.collect()
      for (metric, delta) in flush.counters { deltas[metric.name, default: 0] += delta }
      for (metric, interval) in flush.histograms {
        deltas[metric.name, default: 0] += interval.count
      }
      return flush.counters.count + flush.histograms.count
    }
    slab.add(counter, 1)
    #expect(collect() == 1)
    slab.add(counter, 10)
    slab.record(histogram, 5)
    let retired = registry.removeScope(scope)
    slab.add(counter, 100)
    slab.increment(codes, code: 200)
    #expect(collect() == 3)
    slab.add(counter, 1000)
    slab.increment(codes, code: 200)
    slab.increment(codes, code: 503)
    slab.record(histogram, 6)
    registry.recycle(retired)
    // The name is back, in the same cells, before the last flush of the old one.
    registry.mainSlab.add(registry.makeScope(prefix: "s.").counter("c"), 20_000)
    #expect(collect() == 5)
    #expect(deltas == ["s.c": 21_111, "s.h": 2, "s.rq_200": 2, "s.rq_503": 1])
    #expect(collect() == 1)
  }
}
