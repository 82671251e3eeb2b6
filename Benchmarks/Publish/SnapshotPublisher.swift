import ConfigCompiler
import ConfigLoader
import Glibc
import Primitives
import Proxy
import Reactor
import Stats
import Synchronization

/// Main's part: makes snapshots, puts them into the worker's mailbox, frees those that it has left.
final class SnapshotPublisher {
  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }

  private let registry: StatsRegistry
  private let worker: PublishingWorker
  private let kernel: LinuxKernel
  private var ring: Ring
  private let slot: Int
  private var snapshots: [Snapshot]
  private var nextIdentity: UInt64 = 1 << 32
  private(set) var publishedCount = 0
  private var missedCount = 0

  /// - Parameter cluster: Its last host is the one that changes.
  init(configuration: String, cluster: String) throws {
    registry = try StatsRegistry(slabCount: 2)
    let compiler = SnapshotCompiler(
      registry: registry, options: CompilerOptions(workerNames: ["worker_0"]))
    let source = try ConfigurationSource(path: configuration)
    guard case .loaded(let loaded) = ConfigurationLoader.load([source]) else {
      throw Failure("\(configuration) does not load")
    }
    var sockets = OneListener()
    guard case .compiled(let compilation) = compiler.compile(loaded, sockets: &sockets) else {
      throw Failure("\(configuration) is refused")
    }
    let first = compilation.snapshot
    let slot = first.clusters.buffer.firstIndex {
      $0?.pointer.pointee.name.view.string == cluster
    }
    guard let slot else { throw Failure("\(configuration) has no cluster \(cluster)") }
    self.slot = slot
    snapshots = [first]
    kernel = try LinuxKernel(entries: 8)
    ring = Ring(kernel: kernel)
    worker = PublishingWorker(registry)
  }

  /// Snapshots that the worker took; the others were replaced in the mailbox by a newer one.
  var takenCount: Int { publishedCount - missedCount }

  func startWorker() throws {
    guard worker.start(snapshots[0]) else { throw Failure("the worker does not start") }
  }

  /// Publishes a snapshot that differs from the last in one host.
  ///
  /// - Parameter afresh: The other hosts are equal to those before, but not the same objects: a
  ///   worker must look up each of them.
  func publish(afresh: Bool) {
    releaseLeft()
    guard let snapshot = next(after: snapshots[snapshots.count - 1], afresh) else { return }
    snapshots.append(snapshot)
    publishedCount += 1
    if let unread = worker.mailbox.snapshots.publish(snapshot) {
      missedCount += 1
      unread.holders.wrappingSubtract(1, ordering: .acquiringAndReleasing)
    }
    ring.message(
      to: worker.status.ringDescriptor,
      token: Token(.message, slot: WorkerMessage.snapshot, generation: 0),
      result: WorkerMessage.snapshot)
    kernel.enter(timeoutNanoseconds: 0)
    for _ in 0..<ring.readyCount { _ = ring.nextCompletion() }
  }

  private func next(after last: Snapshot, _ afresh: Bool) -> Snapshot? {
    var sets = Array(last.hosts.sets.buffer)
    guard let old = sets[slot] else { return nil }
    var hosts = Array(old.pointer.pointee.hosts.buffer)
    guard let changed = hosts.last?.pointer.pointee, case .ip(let ip, let port) = changed.address,
      let kernelAddress = KernelAddress(.ip(ip, port: port ^ 1))
    else { return nil }
    let owner = StatsScopeOwner(registry, prefix: "", isHidden: true)
    nextIdentity += 1
    var host = HostConfig(
      identity: nextIdentity, address: .ip(ip, port: port ^ 1), kernelAddress: kernelAddress,
      hostname: "", weight: changed.weight, priority: changed.priority,
      locality: changed.locality, stats: HostStats(owner.scope))
    host.owners = [owner]
    hosts[hosts.count - 1] = Frozen(host)
    if afresh { hosts = hosts.map { Frozen($0.pointer.pointee) } }
    sets[slot] = HostSetBuilder(old.pointer.pointee.settings).build(
      hosts, flags: Array(old.pointer.pointee.flags.buffer), after: old)
    return Snapshot(
      generation: last.generation + 1, clusters: Array(last.clusters.buffer), hosts: sets,
      routeTables: Array(last.routeTables.buffer), listeners: last.listeners, workerCount: 1)
  }

  private func releaseLeft() {
    for index in (0..<snapshots.count - 1).reversed()
    where snapshots[index].holders.load(ordering: .acquiring) == 0
      && isKnownUniquelyReferenced(&snapshots[index])
    {
      snapshots.remove(at: index)
    }
  }
}
