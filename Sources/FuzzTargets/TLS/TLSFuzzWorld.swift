import Synchronization
import TLS
import TLSHarness

/// A library and contexts that are made once: each input would cost milliseconds else.
final class TLSFuzzWorld: @unchecked Sendable {
  // Sendable: the initialiser is private, so the only one there is lies in `shared`, whose lock whoever uses it holds.
  static let shared = Mutex(TLSFuzzWorld())

  let library: TLSLibrary
  let server: TLSContext
  let client: TLSContext

  private init() {
    do throws(TLSSetupError) {
      library = try TLSLibrary()
      let authority = TestIdentity(.init("authority", isAuthority: true))
      let identity = TestIdentity(.init("server", names: "DNS:server.example"), issuer: authority)
      var options = TLSContextOptions(isServer: true)
      options.identity = identity.identity()
      options.protocols = Array("\u{2}h2\u{8}http/1.1".utf8)
      options.keyring = try TicketKeyring()
      try options.keyring?.turn(now: 0)
      options.rules = PeerRules(store: try TrustStore(certificates: [authority.der]))
      server = try TLSContext(library, options)
      var other = TLSContextOptions(isServer: false)
      other.identity = identity.identity()
      other.rules = options.rules
      client = try TLSContext(library, other)
    } catch { preconditionFailure("\(error)") }
  }
}
