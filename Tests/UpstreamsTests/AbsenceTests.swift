import HostHealth
import Proxy
import Stats
import Testing

@testable import Upstreams

struct AbsenceTests {
  private final class Bench {
    let registry: StatsRegistry
    let missed: Counter
    var said: [String] = []
    private(set) var director: AbsenceDirector!

    init() throws {
      registry = try StatsRegistry(slabCount: 1)
      missed = registry.counter("cluster.a.upstream_cx_none_healthy")
      director = AbsenceDirector(
        read: { [registry] in registry.value(of: $0) }, hosts: { $0 == "a" ? HostSetBuilder(BalanceSettings()).build([], flags: []) : nil },
        note: { [unowned self] isWarning, text in said.append("\(isWarning ? "warning" : "info") \(text)") })
      director.update([.init(name: "a", missed: missed)])
    }

    func second(misses: Int = 0) {
      for _ in 0..<misses { registry.mainSlab.increment(missed) }
      director.everySecond()
    }
  }

  @Test func anOutageIsSaidOnceAndSoIsItsEnd() throws {
    let bench = try Bench()
    bench.second()
    #expect(bench.said == [])
    let warning = "warning cluster \"a\": no host for a request, which fails with 503 UH: it has no hosts"
    for misses in [3, 0, 1, 0, 0, 7] {
      bench.second(misses: misses)
      #expect(bench.said == [warning])
    }
    for _ in 1..<AbsenceDirector.quietSecondsMin { bench.second() }
    #expect(bench.said == [warning])
    bench.second()
    #expect(bench.said == [warning, "info cluster \"a\": no request has missed a host for 10 s"])
    bench.second(misses: 1)
    #expect(bench.said.count == 3 && bench.said.last == warning)
  }

  @Test func aReloadKeepsWhatWasSaid() throws {
    let bench = try Bench()
    bench.second(misses: 1)
    bench.director.update([.init(name: "b", missed: bench.registry.counter("b")), .init(name: "a", missed: bench.missed)])
    bench.second(misses: 1)
    #expect(bench.said.count == 1)
  }

  @Test(arguments: [
    ([], "it has no hosts"),
    ([[]], "of 1 host none may be chosen"),
    ([.failedActiveCheck, [.failedActiveCheck, .failedOutlierCheck], .failedOutlierCheck], "of 3 hosts 2 failed checks, 1 ejected"),
    ([.failedDiscovery, .drainingDiscovery, []], "of 3 hosts 2 configured as unhealthy or draining"),
  ] as [([HostFlags], String)])
  func why(_ flags: [HostFlags], _ want: String) {
    #expect(AbsenceDirector.sentence(flags) == want)
  }
}
