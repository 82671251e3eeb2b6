import Synchronization

/// All metrics of the process, and one slab of cells for every thread that counts.
///
/// Main creates and removes metrics; any thread may read them. The mutex is never taken by a worker: a worker
/// has its ``StatsSlab`` and the trivial handles, and those stay valid until main calls ``recycle(_:)``.
public final class StatsRegistry: Sendable {
  /// Name parts and rules that hold for all metrics.
  public struct Options: Sendable {
    public var matcher: StatsMatcher
    public var tags: TagExtraction
    public var histogramBuckets: HistogramBuckets
    /// Address space a slab may use, in bytes. Memory is used only as metrics are counted.
    public var slabBytes: Int

    public init(
      matcher: StatsMatcher = .acceptAll, tags: TagExtraction = TagExtraction(),
      histogramBuckets: HistogramBuckets = HistogramBuckets(), slabBytes: Int = 8 << 30
    ) {
      self.matcher = matcher
      self.tags = tags
      self.histogramBuckets = histogramBuckets
      self.slabBytes = slabBytes
    }
  }

  let options: Options
  let state: Mutex<State>
  /// The slabs that were asked for, and behind them the flusher's. `memory` owns what they point to.
  public let slabs: [StatsSlab]
  private let memory: [SlabMemory]

  struct Key: Hashable {
    let kind: Metric.Kind
    let name: String
  }

  struct Entry {
    let metric: Metric
    var references: Int
  }

  struct State {
    var allocator: CellAllocator
    var entries: [Key: Entry] = [:]
    var families: [UInt64: FamilyState] = [:]
    var scopes: [UInt64: [Key]] = [:]
    /// Cells of hidden scopes.
    var hiddenScopes: [UInt64: HiddenCells] = [:]
    var nextSerial: UInt64 = 1

    var snapshot = StatsSnapshot(version: 0, metrics: [])
    var added: [Metric] = []
    var removed: Set<UInt64> = []

    var quarantine: [UInt64: [Metric]] = [:]
    var hiddenQuarantine: [UInt64: HiddenCells] = [:]
    var tracksDepartures = false
    var departed: [Metric] = []
    var withoutCells = 0

    mutating func takeSerial() -> UInt64 {
      defer { nextSerial += 1 }
      return nextSerial
    }
  }

  /// What readers found out about a family.
  struct FamilyState {
    let metric: Metric
    let naming: FamilyNaming
    var seenTotal: UInt64 = 0
    var members: [Int: Metric] = [:]
  }

  /// - Parameter slabCount: Threads that count: the workers and main, which has index 0.
  /// - Throws: ``StatsMemoryError`` when not even 64 MiB can be reserved for each slab. A smaller reservation
  ///   than asked for is accepted, because limits on address space are common in containers.
  public init(slabCount: Int, options: Options = Options()) throws(StatsMemoryError) {
    let page = 4096
    let smallest = (CellLayout.firstFree + HistogramLayout.strideCells) * 8
    var byteCount = min(max(options.slabBytes, smallest), 32 << 30) / page * page
    var owners: [SlabMemory] = []
    while owners.count < max(1, slabCount) + 1 {
      do {
        owners.append(try SlabMemory(byteCount: byteCount))
      } catch {
        guard byteCount / 2 >= 64 << 20 else { throw error }
        byteCount = byteCount / 2 / page * page
        owners = []
      }
    }
    self.options = options
    memory = owners
    slabs = owners.map(\.slab)
    state = Mutex(State(allocator: CellAllocator(cellCount: byteCount / 8)))
  }

  /// Main's slab.
  public var mainSlab: StatsSlab { slabs[0] }

  /// The slab of the thread that flushes to sinks.
  public var flusherSlab: StatsSlab { slabs[slabs.count - 1] }

  /// Metrics that count into a scratch cell because the slabs are full.
  public var metricsWithoutCells: Int { state.withLock { $0.withoutCells } }

  /// The metrics that exist now. Cheap when nothing changed.
  public var snapshot: StatsSnapshot {
    state.withLock { state in
      discoverMembers(&state)
      guard !state.added.isEmpty || !state.removed.isEmpty else { return state.snapshot }
      let removed = state.removed
      let kept = state.snapshot.metrics.filter { !removed.contains($0.serial) }
      let added = state.added.filter { !removed.contains($0.serial) }
        .sorted(by: StatsSnapshot.precedes)
      state.added = []
      state.removed = []
      state.snapshot = StatsSnapshot(
        version: state.snapshot.version + 1, metrics: Self.merged(kept, added))
      return state.snapshot
    }
  }

  /// The metrics that exist now, in the order of ``StatsSnapshot/metrics``.
  public var metrics: [Metric] { snapshot.metrics }

  private static func merged(_ a: [Metric], _ b: [Metric]) -> [Metric] {
    guard !a.isEmpty, !b.isEmpty else { return a.isEmpty ? b : a }
    var result: [Metric] = []
    result.reserveCapacity(a.count + b.count)
    var (i, j) = (0, 0)
    while i < a.count, j < b.count {
      if StatsSnapshot.precedes(b[j], a[i]) {
        result.append(b[j])
        j += 1
      } else {
        result.append(a[i])
        i += 1
      }
    }
    result += a[i...]
    result += b[j...]
    return result
  }
}
