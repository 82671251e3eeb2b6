import Synchronization

/// What the values of a histogram are.
public enum HistogramUnit: Sendable, Equatable {
  /// Recorded in microseconds, shown in milliseconds.
  case milliseconds
  /// Recorded and shown as they are.
  case unspecified
}

/// One metric as readers see it: its names, its tags, and where its cells are. Values are read through
/// ``StatsRegistry``.
public final class Metric: Sendable {
  public enum Kind: UInt8, Sendable, Comparable {
    case counter, gauge, histogram, text
    /// The cells of a ``CodeFamily`` or ``NamedFamily``. Readers see its members, which are counters.
    case family
    public static func < (a: Kind, b: Kind) -> Bool { a.rawValue < b.rawValue }
  }

  /// Unique in the life of the registry: never reused.
  public let serial: UInt64
  public let kind: Kind
  /// For example `cluster.backend.upstream_rq_200`.
  public let name: String
  /// The name without the parts that are tags: `cluster.upstream_rq`.
  public var tagExtractedName: String { tagged.name }
  public var tags: [StatsTag] { tagged.tags }
  public let unit: HistogramUnit
  /// Ascending upper bounds for cumulative buckets, in the unit that values are recorded in.
  public let bucketBounds: [UInt64]

  private let tagRules: TagExtraction
  let cell: UInt32
  /// One of the counters of a family, whose cells it shares.
  let isFamilyMember: Bool
  let state = Mutex(State())

  struct State {
    /// Subtracted from a counter for display, since the last reset.
    var baseline: UInt64 = 0
    /// Set when the cells were given away: what they held last.
    var final: Final?
    var text = ""
    /// Worked out when somebody first asks: most metrics are never shown with tags.
    var tagged: TaggedName?
    /// A histogram's reading at the last latch, and what it gained until then.
    var latched = HistogramReading()
    var interval: HistogramReading?
  }

  enum Final {
    case scalar(UInt64, used: Bool)
    case histogram(HistogramReading)
  }

  init(
    serial: UInt64, kind: Kind, name: String, tagRules: TagExtraction, cell: UInt32,
    unit: HistogramUnit = .unspecified, bucketBounds: [UInt64] = [],
    isFamilyMember: Bool = false
  ) {
    self.serial = serial
    self.kind = kind
    self.name = name
    self.tagRules = tagRules
    self.cell = cell
    self.isFamilyMember = isFamilyMember
    self.unit = unit
    self.bucketBounds = bucketBounds
  }

  private var tagged: TaggedName {
    state.withLock { state in
      if let tagged = state.tagged { return tagged }
      let tagged = tagRules.extract(from: name)
      state.tagged = tagged
      return tagged
    }
  }

  /// The cells are gone and the value will not change any more.
  public var isFinal: Bool { state.withLock { $0.final != nil } }
}
