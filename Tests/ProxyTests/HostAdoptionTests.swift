import Balancing
import Dispatch
import HostHealth
import Primitives
import Reactor
import Stats
import Testing

@testable import Proxy

/// A worker takes over new lists of hosts: those that stay keep their place in memory, and so their
/// connections, whatever else happens to the list.
@Suite struct HostAdoptionTests {
  private struct Seen: Sendable {
    let identity: UInt64
    let place: UInt
  }

  /// Of sets that are never in panic: who is out gets nothing.
  private static let builder: HostSetBuilder = {
    var settings = BalanceSettings()
    settings.levels.panicThreshold = 0
    return HostSetBuilder(settings)
  }()

  @Test(arguments: 1...8, [false, true])
  func hostsThatStayAreKept(seed: Int, withSnapshots: Bool) throws {
    try withProxy { (proxy) throws in
      var random = FastRandom(seed: UInt64(seed))
      let first = proxy.onWorker { $0.generation.pointee.snapshot.takeUnretainedValue() }
      var set = try #require(first.hosts.sets.buffer[0])
      let real = set.pointer.pointee.hosts.buffer[0]
      let pool = [real] + (try (0..<24).map { try Self.host(UInt64($0 + 100), proxy.registry) })
      var hosts = [real]
      for generation in 2..<80 {
        for _ in 0...random.below(3) { change(&hosts, pool, &random) }
        // Traffic goes to the real one only, wherever it is.
        let flags = hosts.map { $0 === real ? [] : HostFlags.failedDiscovery }
        set = Self.builder.build(hosts, flags: flags, after: set)
        let next = set
        let (before, after) = proxy.onWorker { worker in
          let before = Self.hosts(worker)
          if withSnapshots {
            worker.adopt(Self.snapshot(like: first, generation: UInt64(generation), next))
          } else {
            Self.publish(next, generation: 1, to: worker)
          }
          // A host is made when it is first chosen.
          if let cluster = worker.clusters[0] {
            for index in cluster.pointee.hosts.indices { _ = worker.host(cluster, Int32(index)) }
          }
          return (before, Self.hosts(worker))
        }
        #expect(after.map(\.identity) == hosts.map(\.pointer.pointee.identity))
        let places = Dictionary(uniqueKeysWithValues: before.map { ($0.identity, $0.place) })
        for host in after {
          if let place = places[host.identity] {
            #expect(host.place == place, "host \(host.identity) stayed and was made anew")
          }
        }
        if generation % 8 == 0 { #expect(try proxy.get().status == 200) }
      }
      #expect(proxy.value("cluster.c.upstream_cx_total") == 1, "the connection was not kept")
    }
  }

  @Test func hostsAreMadeWhenTheyAreChosen() throws {
    var setup = ProxyHarness.Setup()
    setup.hosts = { origin, registry in
      let others = try (0..<9).map { try Self.host(UInt64($0 + 100), registry) }
      let hosts = others + [origin]
      return Self.builder.build(
        hosts, flags: hosts.map { $0 === origin ? [] : .failedDiscovery })
    }
    try withProxy(setup) { (proxy) throws in
      #expect(proxy.onWorker { Self.hosts($0) }.isEmpty)
      #expect(try proxy.get().status == 200)
      #expect(proxy.onWorker { Self.hosts($0) }.map(\.identity) == [1])
    }
  }

  /// A table comes while an answer is on its way: the request ends well, later ones go elsewhere.
  @Test func aRequestOutlivesItsTable() throws {
    let gate = DispatchSemaphore(value: 0)
    var setup = ProxyHarness.Setup()
    setup.origin = { request in
      if "\(request)".contains("/slow") { gate.wait() }
      return .text("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    }
    try withProxy(setup) { (proxy) throws in
      let slow = try proxy.connect()
      try slow.send("GET /slow HTTP/1.1\r\nhost: h\r\n\r\n")
      proxy.wait(for: "the request to arrive") { proxy.origin.requests.count == 1 }
      let mailbox = proxy.onWorker { $0.mailbox }
      var published = PublishedHostTables()
      weak var left: HostTable?
      do {
        let old = HostTable(generation: 1, sets: [proxy.onWorker { Self.set($0) }], workerCount: 1)
        left = old
        published.publish(old, to: [mailbox])
      }
      proxy.onWorker { $0.takeHosts() }
      #expect(published.count == 1)
      published.publish(HostTable(generation: 1, sets: [HostSet.nobody], workerCount: 1), to: [mailbox])
      proxy.onWorker { $0.takeHosts() }
      #expect(try proxy.get().status == 503)
      published.releaseLeft()
      #expect(left == nil, "a request held the table that it began under")
      #expect(published.count == 1)
      gate.signal()
      #expect(try slow.readMessage()?.status == 200)
      #expect(proxy.value("cluster.c.upstream_cx_none_healthy") == 1)
    }
  }

  @Test func aTableOfAnOlderSnapshotIsDropped() throws {
    try withProxy { (proxy) throws in
      let first = proxy.onWorker { $0.generation.pointee.snapshot.takeUnretainedValue() }
      let good = proxy.onWorker { Self.set($0) }
      let outcome = proxy.onWorker { worker in
        let mailbox = worker.mailbox
        var published = PublishedHostTables()
        published.publish(HostTable(generation: 1, sets: [HostSet.nobody], workerCount: 1), to: [mailbox])
        let snapshot = Self.snapshot(like: first, generation: 2, good)
        _ = mailbox.snapshots.publish(snapshot)
        worker.takeHosts()
        published.releaseLeft()
        return (worker.generation.pointee.number, published.count, Self.set(worker) === good)
      }
      #expect(outcome.0 == 2, "the snapshot comes first")
      #expect(outcome.1 == 0, "the table was kept")
      #expect(outcome.2, "old hosts took the place of new ones")
      #expect(try proxy.get().status == 200)
    }
  }

  @Test func aTableThatNobodySawIsFreed() throws {
    try withProxy { (proxy) throws in
      let mailbox = proxy.onWorker { $0.mailbox }
      var published = PublishedHostTables()
      weak var unseen: HostTable?
      do {
        let table = HostTable(generation: 1, sets: [HostSet.nobody], workerCount: 1)
        unseen = table
        published.publish(table, to: [mailbox])
      }
      published.publish(
        HostTable(generation: 1, sets: [proxy.onWorker { Self.set($0) }], workerCount: 1), to: [mailbox])
      published.releaseLeft()
      #expect(unseen == nil)
      proxy.onWorker { $0.takeHosts() }
      #expect(proxy.value("server.worker_0.host_tables_adopted") == 1)
      #expect(try proxy.get().status == 200)
    }
  }

  /// What is planted here: the worker goes on with the old set.
  @Test func hostsThatAreOutGetNothingAfterAdoption() throws {
    try withProxy { (proxy) throws in
      #expect(try proxy.get().status == 200)
      proxy.onWorker { worker in
        let set = Self.set(worker)
        let hosts = Array(set.pointer.pointee.hosts.buffer)
        Self.publish(
          HostSetBuilder(BalanceSettings()).build(hosts, flags: hosts.map { _ in .failedOutlierCheck }, after: set),
          generation: 1, to: worker)
      }
      // In panic all are tried.
      #expect(try proxy.get().status == 200)
      proxy.onWorker { worker in
        let set = Self.set(worker)
        Self.publish(
          Self.builder.build(
            Array(set.pointer.pointee.hosts.buffer), flags: Array(set.pointer.pointee.flags.buffer), after: set),
          generation: 1, to: worker)
      }
      #expect(try proxy.get().status == 503)
      #expect(proxy.origin.requests.count == 2)
    }
  }

  private static func snapshot(like first: Snapshot, generation: UInt64, _ set: Frozen<HostSet>) -> Snapshot {
    Snapshot(
      generation: generation, clusters: Array(first.clusters.buffer), hosts: [set],
      routeTables: Array(first.routeTables.buffer), listeners: first.listeners, workerCount: 1)
  }

  private static func publish(_ set: Frozen<HostSet>, generation: UInt64, to worker: Worker) {
    _ = worker.mailbox.hosts.publish(HostTable(generation: generation, sets: [set], workerCount: 1))
    worker.takeHosts()
  }

  private static func set(_ worker: Worker) -> Frozen<HostSet> {
    worker.hostTable?._withUnsafeGuaranteedRef { $0.set(0) } ?? HostSet.nobody
  }

  private static func hosts(_ worker: Worker) -> [Seen] {
    guard let cluster = worker.clusters[0] else { return [] }
    return cluster.pointee.hosts.compactMap { $0 }.map {
      Seen(identity: $0.pointee.identity, place: UInt(bitPattern: $0))
    }
  }

  /// Adds, removes, moves or replaces one host; the first of `pool` always stays.
  private func change(
    _ hosts: inout [Frozen<HostConfig>], _ pool: [Frozen<HostConfig>], _ random: inout FastRandom
  ) {
    let at = Int(random.below(UInt32(hosts.count)))
    let absent = pool.filter { one in !hosts.contains { $0 === one } }
    switch random.below(5) {
    case 0, 1:
      guard !absent.isEmpty else { return }
      hosts.insert(absent[Int(random.below(UInt32(absent.count)))], at: at)
    case 2:
      if hosts[at] !== pool[0] { hosts.remove(at: at) }
    case 3:
      hosts.swapAt(at, Int(random.below(UInt32(hosts.count))))
    default:
      guard !absent.isEmpty, hosts[at] !== pool[0] else { return }
      hosts[at] = absent[Int(random.below(UInt32(absent.count)))]
    }
  }

  private static func host(_ identity: UInt64, _ registry: StatsRegistry) throws -> Frozen<HostConfig> {
    let address = SocketAddress.ip(IPAddress(v4: 0x7F00_0001), port: 1)
    return Frozen(
      HostConfig(
        identity: identity, address: address, kernelAddress: try #require(KernelAddress(address)),
        hostname: "", weight: 1, priority: 0, locality: HostConfig.Locality(),
        stats: HostStats(registry.makeScope(prefix: "host\(identity)."))))
  }
}
