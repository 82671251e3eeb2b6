import ConfigCompiler
import ConfigLoader
import Proxy
import Testing

struct OutlierTests {
  private func warnings(hosts: Int, _ detection: String, runtime: String = "") throws -> [String] {
    var bench = try Bench()
    let hosts = (1...hosts).map { "10.0.0.\($0):80" }
    let text = Fixture.bootstrap(clusters: Fixture.cluster("a", hosts: hosts, extra: "outlier_detection: { \(detection) }"))
    return try bench.compile(text + runtime).warnings.map(\.message)
  }

  @Test func aCapUnderWhichNobodyCanBeEjectedIsSaid() throws {
    #expect(
      try warnings(hosts: 4, "") == [
        "no host can ever be ejected: of 4 hosts, max_ejection_percent 10 allows less than one; set it to 25 or more, or always_eject_one_host"
      ])
    #expect(try warnings(hosts: 10, "") == [])
    #expect(try warnings(hosts: 9, "max_ejection_percent: 11").count == 1)
    #expect(try warnings(hosts: 4, "max_ejection_percent: 25") == [])
    #expect(try warnings(hosts: 1, "always_eject_one_host: true") == [])
  }

  @Test func theRuntimeStandsForFields() throws {
    let runtime = "layered_runtime: { layers: [{ name: s, static_layer: { outlier_detection: { max_ejection_percent: 100 } } }] }\n"
    #expect(try warnings(hosts: 4, "", runtime: runtime) == [])
    let dotted = "layered_runtime: { layers: [{ name: s, static_layer: { outlier_detection.max_ejection_percent: 50 } }] }\n"
    #expect(try warnings(hosts: 4, "", runtime: dotted) == [])
    let unread = "layered_runtime: { layers: [{ name: s, static_layer: { a: { b: 1 } } }] }\n"
    #expect(try warnings(hosts: 10, "", runtime: unread) == ["the runtime key \"a.b\" has no effect"])
  }

  /// Detection that is switched off and on again finds what there was: a host keeps what it owns for its life.
  @Test func cellsOutliveDetection() throws {
    var bench = try Bench()
    func owned(_ extra: String) throws -> Int {
      _ = try bench.compile(Fixture.bootstrap(clusters: Fixture.cluster("a", extra: extra)))
      let hosts = try #require(bench.compiler.hostSets.first).hosts.value.hosts
      return try #require(hosts.array.first).value.owners.count
    }
    let without = try owned("")
    let with = try owned("outlier_detection: { always_eject_one_host: true }")
    #expect(with > without)
    for _ in 0..<3 {
      #expect(try owned("") == with)
      #expect(try owned("outlier_detection: { always_eject_one_host: true }") == with)
    }
  }

  @Test func aChangeOfTheRuntimeCompilesClustersAnew() throws {
    var bench = try Bench()
    let hosts = (1...4).map { "10.0.0.\($0):80" }
    let text = Fixture.bootstrap(clusters: Fixture.cluster("a", hosts: hosts, extra: "outlier_detection: {}"))
    #expect(try bench.compile(text).warnings.count == 1)
    #expect(try bench.compile(text).warnings.isEmpty)
    let runtime = "layered_runtime: { layers: [{ name: s, static_layer: { outlier_detection: { interval_ms: 5 } } }] }\n"
    let second = try bench.compile(text + runtime)
    #expect(second.changes.clustersModified == ["a"])
    #expect(second.warnings.count == 1)
  }
}
