import Primitives
import Stats
import Synchronization

/// The statistics of all gRPC calls, by cluster and method, for all filters of the process that count them. Names come from
/// requests, so there is a bound to how many there are; a look-up takes no lock.
public final class GRPCStatsTable: @unchecked Sendable {
  // Sendable: entries are made under the lock, published by an atomic store, and never changed.

  private struct Entry {
    let hash: UInt64
    /// Cluster, protocol, service and method with NUL between them.
    let key: FrozenText
    let stats: GRPCCallStats
  }

  private let scope: StatsScopeOwner
  private let slots: UnsafeMutablePointer<Atomic<UInt>>
  private let lock = Mutex<Void>(())
  private let namedCount = Atomic<Int>(0)

  private static let slotCount = 4096
  /// Calls of further methods count without their names.
  static let namedMax = 1000
  /// Clusters count for themselves; a configuration has no more.
  private static let entriesMax = 3000
  private var entryCount = 0

  public init(_ registry: StatsRegistry) {
    scope = StatsScopeOwner(registry, prefix: "cluster.")
    slots = .allocate(capacity: Self.slotCount)
    for i in 0..<Self.slotCount { (slots + i).initialize(to: Atomic(0)) }
  }

  deinit {
    for i in 0..<Self.slotCount {
      if let entry = UnsafeMutablePointer<Entry>(bitPattern: slots[i].load(ordering: .relaxed)) {
        entry.deinitialize(count: 1)
        entry.deallocate()
      }
    }
    slots.deinitialize(count: Self.slotCount)
    slots.deallocate()
  }

  func counter(ofStatus code: UInt32, _ stats: GRPCCallStats) -> Counter? {
    stats.counter(ofStatus: code, lock)
  }

  /// The statistics of a call.
  ///
  /// - Parameters:
  ///   - method: Nil = of all methods together.
  ///   - arena: Of the stream: room for a key.
  /// - Returns: Nil when there are too many already.
  func stats(
    _ cluster: UnsafeMutablePointer<ClusterConfig>, _ kind: StaticString, _ method: GRPCMethod?,
    replacesDots: Bool, arena: inout Arena
  ) -> Unmanaged<GRPCCallStats>? {
    let key = makeKey(cluster.pointee.name.view, ByteView(kind), method, replacesDots: replacesDots, &arena)
    let hash = xxHash64(key)
    if let found = find(key, hash) { return found }
    if let made = make(cluster, kind, method, key, hash, replacesDots: replacesDots) { return made }
    guard method != nil else { return nil }
    return stats(cluster, kind, nil, replacesDots: replacesDots, arena: &arena)
  }

  private func find(_ key: ByteView, _ hash: UInt64) -> Unmanaged<GRPCCallStats>? {
    var slot = Int(truncatingIfNeeded: hash) & (Self.slotCount - 1)
    while let entry = UnsafeMutablePointer<Entry>(bitPattern: slots[slot].load(ordering: .acquiring)) {
      if entry.pointee.hash == hash, entry.pointee.key.view == key { return .passUnretained(entry.pointee.stats) }
      slot = (slot + 1) & (Self.slotCount - 1)
    }
    return nil
  }

  private func make(
    _ cluster: UnsafeMutablePointer<ClusterConfig>, _ kind: StaticString, _ method: GRPCMethod?, _ key: ByteView,
    _ hash: UInt64, replacesDots: Bool
  ) -> Unmanaged<GRPCCallStats>? {
    lock.withLock { _ in
      if let found = find(key, hash) { return found }
      guard entryCount < Self.entriesMax else { return nil }
      var prefix = "\(cluster.pointee.statName).\(ByteView(kind).string)."
      if let method {
        guard namedCount.load(ordering: .relaxed) < Self.namedMax else { return nil }
        namedCount.wrappingAdd(1, ordering: .relaxed)
        var service = method.service.string
        if replacesDots { service = String(service.map { $0 == "." ? "_" : $0 }) }
        prefix += "\(service).\(method.name.string)."
      }
      let stats = GRPCCallStats(scope.scope, prefix: prefix)
      let entry = UnsafeMutablePointer<Entry>.allocate(capacity: 1)
      entry.initialize(to: Entry(hash: hash, key: FrozenText(bytes: key.array), stats: stats))
      entryCount += 1
      var slot = Int(truncatingIfNeeded: hash) & (Self.slotCount - 1)
      while slots[slot].load(ordering: .relaxed) != 0 { slot = (slot + 1) & (Self.slotCount - 1) }
      slots[slot].store(UInt(bitPattern: entry), ordering: .releasing)
      return .passUnretained(stats)
    }
  }

  private func makeKey(
    _ cluster: ByteView, _ kind: ByteView, _ method: GRPCMethod?, replacesDots: Bool, _ arena: inout Arena
  ) -> ByteView {
    let service = method?.service ?? .empty
    let name = method?.name ?? .empty
    let room = arena.allocate(cluster.count + kind.count + service.count + name.count + 4)
    var at = 0
    func put(_ bytes: ByteView) {
      (room + at).update(from: bytes.base, count: bytes.count)
      at += bytes.count
      room[at] = 0
      at += 1
    }
    put(cluster)
    put(kind)
    put(service)
    put(name)
    // Two filters may write one method in two ways.
    room[at - 1] = replacesDots ? 1 : 0
    return ByteView(room, at)
  }
}

/// `/service/method`.
struct GRPCMethod {
  let service: ByteView
  let name: ByteView

  /// Nil for a path that is not of exactly two parts.
  init?(path: ByteView) {
    let path = path.prefix(path.firstIndex(of: UInt8(ascii: "?")) ?? path.count)
    guard path.count > 1, path[0] == UInt8(ascii: "/") else { return nil }
    let rest = path.dropFirst(1)
    guard let slash = rest.firstIndex(of: UInt8(ascii: "/")), slash > 0, slash + 1 < rest.count else { return nil }
    service = rest.prefix(slash)
    name = rest.dropFirst(slash + 1)
    guard name.firstIndex(of: UInt8(ascii: "/")) == nil else { return nil }
  }
}
