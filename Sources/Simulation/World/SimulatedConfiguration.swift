/// What the proxy is configured with: drawn by seed, changed by snapshot swaps.
struct SimulatedConfiguration {
  static let httpPort = 8080
  static let proxyProtocolPort = 8081
  static let tcpPort = 9000
  static let address = "10.0.0.1"

  /// What the proxy speaks to the hosts of a cluster.
  enum UpstreamProtocol { case http1, http2, downstream }

  var protocolOfA: UpstreamProtocol
  var protocolOfB: UpstreamProtocol
  /// HTTP/2, to clients and hosts alike.
  var streamsMax: Int
  var streamWindow: Int
  var connectionWindow: Int
  /// Hosts by their last number.
  var hostsOfA: [Int]
  var hostsOfB: [Int]
  var hasClusterB = true
  var hasProxyProtocolListener = true
  var bufferLimitBytes: Int
  var passesTrailers: Bool
  var forwardsContinue: Bool
  var hasHeaderMutation: Bool
  var hasFault: Bool
  var hasCors: Bool
  var hasHealthCheck: Bool
  /// 0: no buffer filter.
  var bufferLimitOfFilter: Int
  var hasSmallBreakers: Bool
  /// Requests at a time with small breakers.
  var breakerRequests: Int
  var usesRandomBalancing: Bool
  var maxRequestsPerConnection: Int
  /// Generous in calm runs, so that slow peers are not cut off.
  var hasShortTimeouts: Bool
  /// Changed alone, it gives the listener a new version.
  var listenerVariant = 0
  var routeVariant = 0
  var hasChangedProtocol = false
  var tls: TLSSettings
  let tunnels: TunnelSettings
  let retries: RetrySettings
  let hedges: HedgeSettings
  var mirrors: MirrorSettings
  let balancing: BalancingSettings
  var health: HealthSettings
  let isCalm: Bool

  init(
    _ dice: Dice, isCalm: Bool, tls: TLSSettings, tunnels: TunnelSettings, retries: RetrySettings, hedges: HedgeSettings,
    mirrors: MirrorSettings, balancing: BalancingSettings, health: HealthSettings
  ) {
    self.health = health
    self.isCalm = isCalm
    self.tls = tls
    self.tunnels = tunnels
    self.retries = retries
    self.hedges = hedges
    self.mirrors = mirrors
    self.balancing = balancing
    hostsOfA = Array(1...dice.within(1...4))
    hostsOfB = Array(1...dice.within(1...2))
    bufferLimitBytes = dice.pick([1 << 20, 65_536, 16_384, 4096, 1024])
    passesTrailers = dice.chance(0.6)
    forwardsContinue = dice.chance(0.4)
    hasHeaderMutation = dice.chance(0.3)
    hasFault = dice.chance(0.2)
    hasCors = dice.chance(0.2)
    hasHealthCheck = dice.chance(0.2)
    bufferLimitOfFilter = dice.chance(0.2) ? dice.pick([1000, 10_000, 500_000]) : 0
    hasSmallBreakers = !isCalm && dice.chance(0.25)
    breakerRequests = dice.within(1...3)
    usesRandomBalancing = dice.chance(0.3)
    maxRequestsPerConnection = dice.chance(0.2) ? dice.within(1...5) : 0
    hasShortTimeouts = !isCalm && dice.chance(0.5)
    protocolOfA = dice.pick([.http1, .http2, .http2, .downstream])
    protocolOfB = dice.pick([.http1, .http2, .downstream])
    streamsMax = dice.pick([1, 2, 5, 100])
    streamWindow = dice.pick([65_535, 65_535, 1 << 20])
    connectionWindow = dice.pick([65_535, 100_000, 2 << 20])
  }

  /// A path that leads to an origin.
  func path(for id: Int, _ dice: Dice) -> String {
    "\(dice.pick(["/a", "/a", "/b", "/split", "/quick"]))/\(id)\(dice.chance(0.2) ? "?q=\(id)" : "")"
  }

  /// One change, as an operator or a control plane would make it.
  mutating func change(_ dice: Dice) {
    if tls.isOn, dice.chance(0.3) { return tls.change(dice) }
    if mirrors.isOn, dice.chance(0.15) { return mirrors.change(dice) }
    switch dice.within(0...7) {
    case 0: hostsOfA = Self.subset(of: 1...4, dice)
    case 1: hostsOfB = Self.subset(of: 1...2, dice)
    case 2: hasClusterB.toggle()
    case 3: hasProxyProtocolListener.toggle()
    case 4: listenerVariant += 1
    case 5: routeVariant += 1
    case 6:
      protocolOfA = dice.pick([.http1, .http2, .downstream])
      hasChangedProtocol = true
    default: hasSmallBreakers.toggle()
    }
  }

  private static func subset(of range: ClosedRange<Int>, _ dice: Dice) -> [Int] {
    let chosen = range.filter { _ in dice.chance(0.6) }
    return chosen.isEmpty ? [range.lowerBound] : chosen
  }
}
