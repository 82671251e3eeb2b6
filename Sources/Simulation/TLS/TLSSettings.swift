/// What the proxy's configuration says about TLS: drawn by seed, changed by snapshot swaps and rotations.
struct TLSSettings {
  static let port = 8443
  /// Names that clients ask for. `edge` gets the last chain, which asks for nothing.
  static let edge = "edge.sim"
  static let mutual = "mutual.sim"
  static let tcp = "tcp.sim"
  static let passed = "pass.sim"
  /// What hosts' certificates are for.
  static let origin = "origin.sim"

  enum Version: String { case tls12 = "TLSv1_2", tls13 = "TLSv1_3" }

  /// The world has a listener with TLS.
  let isOn: Bool
  /// Chains by name, with an inspector.
  let hasNames: Bool
  /// A PROXY header stands before the handshake.
  let isBehindProxy: Bool
  /// Connections stay with the library after their handshake.
  let staysAttached: Bool
  var listenerVersionMax: Version
  var hasRSA: Bool
  var givesTickets: Bool
  // To hosts.
  var isOnForA: Bool
  var isOnForB: Bool
  var clusterVersionMax: Version
  var keepsTickets: Bool
  /// Whether hosts' handshakes choose the protocol (`auto_config`).
  var agreesOnProtocol: Bool
  // Rotation.
  var hasRenewedEdge = false
  var hasRenewedClient = false
  let showsCertificateToHosts: Bool
  /// Handshakes take their time: peers are slow, and in calm runs nobody is cut off.
  let hasShortTimeout: Bool

  init(_ dice: Dice, isCalm: Bool) {
    isOn = dice.chance(0.3)
    hasNames = dice.chance(0.6)
    isBehindProxy = dice.chance(0.15)
    staysAttached = dice.chance(0.15)
    listenerVersionMax = dice.chance(0.7) ? .tls13 : .tls12
    hasRSA = dice.chance(0.3)
    givesTickets = dice.chance(0.8)
    isOnForA = isOn && dice.chance(0.6)
    isOnForB = isOn && dice.chance(0.6)
    clusterVersionMax = dice.chance(0.6) ? .tls13 : .tls12
    keepsTickets = dice.chance(0.7)
    agreesOnProtocol = dice.chance(0.3)
    showsCertificateToHosts = dice.chance(0.5)
    hasShortTimeout = !isCalm && dice.chance(0.5)
  }

  /// New contents for a certificate's place: nothing that is open may notice.
  mutating func rotate(_ dice: Dice) {
    if dice.chance(0.7) { hasRenewedEdge.toggle() } else { hasRenewedClient.toggle() }
  }

  /// What changes more than contents.
  mutating func change(_ dice: Dice) {
    switch dice.within(0...5) {
    case 0: listenerVersionMax = dice.pick([.tls12, .tls13])
    case 1: hasRSA.toggle()
    case 2: givesTickets.toggle()
    case 3: isOnForA.toggle()
    case 4: agreesOnProtocol.toggle()
    default: keepsTickets.toggle()
    }
  }
}
