/// What is known of one priority level's hosts. Weights are sums of the hosts' weights; they are
/// read only with ``LevelSettings/usesWeights``.
public struct LevelHosts: Sendable, Equatable {
  /// All hosts, `excluded` ones too.
  public var total: UInt32
  public var healthy: UInt32
  public var degraded: UInt32
  /// Hosts that count neither as up nor as down: not yet checked, or failed at once.
  public var excluded: UInt32
  public var totalWeight: UInt64
  public var healthyWeight: UInt64
  public var degradedWeight: UInt64
  public var excludedWeight: UInt64

  public init(
    total: UInt32 = 0, healthy: UInt32 = 0, degraded: UInt32 = 0, excluded: UInt32 = 0,
    totalWeight: UInt64 = 0, healthyWeight: UInt64 = 0, degradedWeight: UInt64 = 0,
    excludedWeight: UInt64 = 0
  ) {
    self.total = total
    self.healthy = healthy
    self.degraded = degraded
    self.excluded = excluded
    self.totalWeight = totalWeight
    self.healthyWeight = healthyWeight
    self.degradedWeight = degradedWeight
    self.excludedWeight = excludedWeight
  }

  /// Hosts that count: the denominator of health and panic.
  var counted: UInt32 { total > excluded ? total - excluded : 0 }
  var countedWeight: UInt64 { totalWeight > excludedWeight ? totalWeight - excludedWeight : 0 }
}

public struct LevelSettings: Sendable, Equatable {
  /// Percent; 140: a level with 72 % of its hosts up still takes everything.
  public var overprovisioningFactor: UInt32
  /// Percent, more than 100 is 100; 0: never in panic.
  public var panicThreshold: UInt32
  /// `weighted_priority_health`: a level's health is of weights, not of counts.
  public var usesWeights: Bool
  /// `fail_traffic_on_panic`: a level in panic has nobody instead of everybody.
  public var failsInPanic: Bool

  public init(
    overprovisioningFactor: UInt32 = 140, panicThreshold: UInt32 = 50, usesWeights: Bool = false,
    failsInPanic: Bool = false
  ) {
    self.overprovisioningFactor = overprovisioningFactor
    self.panicThreshold = panicThreshold
    self.usesWeights = usesWeights
    self.failsInPanic = failsInPanic
  }
}

/// What one level gets. Health and loads are percent.
public struct LevelShare: Sendable, Equatable {
  public internal(set) var health: UInt8 = 0
  public internal(set) var degradedHealth: UInt8 = 0
  public internal(set) var load: UInt8 = 0
  public internal(set) var degradedLoad: UInt8 = 0
  /// Too few hosts are up: a choice is among all of them, or fails.
  public internal(set) var isPanic = false
  /// In panic, and nobody is to be chosen.
  public internal(set) var fails = false

  init() {}
}

/// One level's part of the hundred: everything up to `end` that an earlier step has not taken.
@frozen
public struct LoadStep: Sendable, Equatable {
  /// 1...100
  public let end: UInt8
  public let level: UInt8
  public let isDegraded: Bool

  @inlinable
  public init(end: UInt8, level: UInt8, isDegraded: Bool) {
    self.end = end
    self.level = level
    self.isDegraded = isDegraded
  }

  /// The step that a hash or a random number falls on. The hash decides the level too, so a key
  /// stays with its level.
  ///
  /// - Parameter steps: Not empty, the last one ends at 100, as ``Levels`` makes them.
  @inlinable
  public static func choose(
    _ steps: UnsafeBufferPointer<LoadStep>, _ number: UInt64
  ) -> LoadStep {
    let percent = UInt8(truncatingIfNeeded: number % 100) &+ 1
    var index = 0
    while index &+ 1 < steps.count, percent > steps[index].end { index &+= 1 }
    return steps[index]
  }
}

/// How the load of a cluster is shared by its priority levels, and which of them are in panic.
///
/// Source: Envoy `load_balancer_impl.cc` (`recalculatePerPriorityState`, `recalculatePerPriorityPanic`,
/// `recalculateLoadInTotalPanic`, `choosePriority`). Integer arithmetic as there.
public struct Levels: Sendable, Equatable {
  /// A priority is at most 128 (endpoint_components.proto); fits a ``LoadStep``.
  public static let countMax = 129

  public private(set) var shares: [LevelShare]
  /// In the order in which a choice walks them: healthy hosts of all levels, then degraded ones.
  /// Never empty, the last ends at 100.
  public private(set) var steps: [LoadStep]
  /// Sum of all health, at most 100. At 100 no level is in panic, however few of its hosts are up.
  public let availability: UInt32

  /// - Parameter hosts: By priority, 1...129 levels; more are left out, none is one without hosts.
  public init(_ hosts: [LevelHosts], _ settings: LevelSettings = LevelSettings()) {
    let levels = hosts.isEmpty ? [LevelHosts()] : Array(hosts.prefix(Self.countMax))
    shares = levels.map { Self.health($0, settings) }
    availability = min(
      100, shares.reduce(0) { $0 + UInt32($1.health) + UInt32($1.degradedHealth) })
    Self.share(&shares, availability)
    Self.panic(&shares, levels, availability, settings)
    steps = Self.steps(shares)
  }

  private static func health(_ hosts: LevelHosts, _ settings: LevelSettings) -> LevelShare {
    var share = LevelShare()
    guard hosts.counted > 0 else { return share }
    let usesWeights = settings.usesWeights
    let total = usesWeights ? hosts.countedWeight : UInt64(hosts.counted)
    func percent(_ part: UInt64) -> UInt8 {
      guard total > 0 else { return 0 }
      // The product may pass 64 bits: weights come from configuration.
      let product = UInt64(settings.overprovisioningFactor).multipliedFullWidth(by: part)
      guard product.high < total else { return 100 }
      return UInt8(min(100, total.dividingFullWidth(product).quotient))
    }
    share.health = percent(usesWeights ? hosts.healthyWeight : UInt64(hosts.healthy))
    share.degradedHealth = percent(usesWeights ? hosts.degradedWeight : UInt64(hosts.degraded))
    return share
  }

  /// Load in order of priority, healthy hosts of all levels first; what rounding leaves goes to the
  /// first level that has anybody.
  private static func share(_ shares: inout [LevelShare], _ availability: UInt32) {
    guard availability > 0 else { return }
    var left: UInt32 = 100
    for index in shares.indices {
      let load = min(left, UInt32(shares[index].health) * 100 / availability)
      shares[index].load = UInt8(load)
      left -= load
    }
    for index in shares.indices {
      let load = min(left, UInt32(shares[index].degradedHealth) * 100 / availability)
      shares[index].degradedLoad = UInt8(load)
      left -= load
    }
    guard left > 0 else { return }
    if let first = shares.firstIndex(where: { $0.health > 0 }) {
      shares[first].load += UInt8(left)
    } else if let first = shares.firstIndex(where: { $0.degradedHealth > 0 }) {
      shares[first].degradedLoad += UInt8(left)
    }
  }

  private static func panic(
    _ shares: inout [LevelShare], _ levels: [LevelHosts], _ availability: UInt32,
    _ settings: LevelSettings
  ) {
    if availability < 100 {
      for index in shares.indices {
        let hosts = levels[index]
        shares[index].isPanic = isPanic(
          healthy: hosts.healthy, degraded: hosts.degraded, counted: hosts.counted,
          threshold: settings.panicThreshold)
        shares[index].fails = shares[index].isPanic && settings.failsInPanic
      }
    }
    if shares.allSatisfy(\.isPanic) {
      shareInPanic(&shares, levels)
    } else if availability == 0 {
      // Nothing to share by, and the threshold forbids panic: level 0 gets it, as in Envoy.
      shares[0].load = 100
    }
  }

  /// Whether so few hosts are up that all of them are tried. Also asked of the own cluster by
  /// zone-aware routing.
  ///
  /// - Parameters:
  ///   - counted: All hosts but the excluded ones.
  ///   - threshold: Percent; more than 100 is 100.
  public static func isPanic(
    healthy: UInt32, degraded: UInt32, counted: UInt32, threshold: UInt32
  ) -> Bool {
    guard counted > 0 else { return threshold > 0 }
    let percent =
      100.0 * Double(healthy) / Double(counted) + 100.0 * Double(degraded) / Double(counted)
    return percent < Double(min(100, threshold))
  }

  /// Every level is in panic: load goes by the number of hosts, whatever their state.
  private static func shareInPanic(_ shares: inout [LevelShare], _ levels: [LevelHosts]) {
    for index in shares.indices {
      shares[index].load = 0
      shares[index].degradedLoad = 0
    }
    let total = levels.reduce(UInt64(0)) { $0 + UInt64($1.total) }
    guard total > 0 else {
      shares[0].load = 100
      return
    }
    var left: UInt8 = 100
    for index in shares.indices {
      let load = UInt8(100 * UInt64(levels[index].total) / total)
      shares[index].load = load
      left -= load
    }
    if let first = levels.firstIndex(where: { $0.total > 0 }) { shares[first].load += left }
  }

  private static func steps(_ shares: [LevelShare]) -> [LoadStep] {
    var steps: [LoadStep] = []
    var end: UInt8 = 0
    for (level, share) in shares.enumerated() where share.load > 0 {
      end += share.load
      steps.append(LoadStep(end: end, level: UInt8(level), isDegraded: false))
    }
    for (level, share) in shares.enumerated() where share.degradedLoad > 0 {
      end += share.degradedLoad
      steps.append(LoadStep(end: end, level: UInt8(level), isDegraded: true))
    }
    return steps
  }
}
