import Primitives
import TLS
import TLSHarness

/// What all peers of a world share of OpenSSL: a library, contexts by what they are for, tickets of earlier connections.
final class TLSParties {
  /// What a client asks for.
  struct ClientIntent {
    var serverName: String
    /// ALPN, the preferred first.
    var protocols: [String]
    var versionMax: TLSSettings.Version
    var presents: SimulatedIdentity?
    var isEndToEnd = false
    /// The proxy must not accept it.
    var isRefused = false
  }

  private unowned let world: World
  private let library: TLSLibrary
  private let store: TrustStore
  private let keyring: TicketKeyring
  private var contexts: [String: TLSContext] = [:]
  private var tickets: [String: ClientTicket] = [:]
  /// Handshakes that are not over.
  private(set) var underWay = 0

  init(world: World) throws {
    self.world = world
    library = try TLSLibrary()
    store = try TrustStore(certificates: PEMReader.certificates(Array(SimulatedIdentity.authority.utf8)))
    keyring = try TicketKeyring()
    try keyring.turn(now: 0)
  }

  /// Before the world lets go of its peers: tickets are the library's.
  func dispose() {
    for (_, ticket) in tickets { ticket.free() }
    tickets = [:]
  }

  private var dice: Dice { world.tlsDice }

  private func context(_ key: String, _ make: () throws -> TLSContext) -> TLSContext {
    if let known = contexts[key] { return known }
    do {
      let made = try make()
      contexts[key] = made
      return made
    } catch { preconditionFailure("a simulated peer's TLS context: \(error)") }
  }

  private static func wire(_ protocols: [String]) -> [UInt8] {
    protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
  }

  // MARK: Clients

  func client(_ intent: ClientIntent, report: @escaping (String) -> Void) -> PeerTLS {
    let name = "\(intent.serverName) \(intent.versionMax) \(intent.presents?.certificate ?? "")"
    let context = context("client \(name) \(intent.protocols)") {
      var options = TLSContextOptions(isServer: false)
      options.protocols = Self.wire(intent.protocols)
      options.versionMax = intent.versionMax == .tls13 ? 0x0304 : 0x0303
      options.identity = try intent.presents?.identity
      options.rules = PeerRules(store: store)
      return try TLSContext(library, options)
    }
    let peer = peer(context)
    withName(intent.serverName) {
      guard peer.handshake.setServerName($0), peer.handshake.setExpectedName($0) else {
        preconditionFailure("a server name")
      }
    }
    if let ticket = tickets.removeValue(forKey: name) { _ = peer.handshake.resume(ticket) }
    let made = make(peer, isClient: true, isPlain: intent.isEndToEnd || intent.isRefused, mayBeRefused: intent.isRefused, report)
    made.onTicket = { [unowned self] ticket in
      tickets[name]?.free()
      tickets[name] = ticket
    }
    return made
  }

  private func withName(_ name: String, _ body: (ByteView) -> Void) {
    let bytes = Array(name.utf8)
    bytes.withUnsafeBufferPointer { if let base = $0.baseAddress { body(ByteView(base, $0.count)) } }
  }

  // MARK: Hosts

  func server(
    protocols: [String], asksForCertificate: Bool, isEndToEnd: Bool = false, report: @escaping (String) -> Void
  ) -> PeerTLS {
    let isRSA = dice.chance(0.2)
    let isTLS13 = dice.chance(0.8)
    let context = context("server \(protocols) \(asksForCertificate) \(isRSA) \(isTLS13)") {
      var options = TLSContextOptions(isServer: true)
      options.protocols = Self.wire(protocols)
      options.versionMax = isTLS13 ? 0x0304 : 0x0303
      options.identity = try isRSA ? SimulatedIdentity.originRSA.identity : SimulatedIdentity.origin.identity
      if asksForCertificate { options.rules = PeerRules(store: store, requiresCertificate: true) }
      options.keyring = keyring
      return try TLSContext(library, options)
    }
    return make(peer(context), isClient: false, isPlain: isEndToEnd, report)
  }

  // MARK: Both

  private func peer(_ context: TLSContext) -> TLSPeer {
    do { return try TLSPeer(context, now: world.kernel.wallNow() / 1_000_000_000) } catch {
      preconditionFailure("a simulated peer's TLS: \(error)")
    }
  }

  private func make(
    _ peer: TLSPeer, isClient: Bool, isPlain: Bool, mayBeRefused: Bool = false, _ report: @escaping (String) -> Void
  ) -> PeerTLS {
    underWay += 1
    let made = PeerTLS(
      peer, isClient: isClient,
      habits: TLSHabits(dice, isCalm: world.isCalm || world.network.faults.areOver, endsProperly: isPlain), dice: dice,
      coverage: world.network.coverage, mayBeRefused: mayBeRefused || world.mayFail, report: report)
    made.onSettled = { [unowned self] in underWay -= 1 }
    return made
  }
}
