import Glibc
import LoadBase
import TLS

/// What all threads of an origin share for TLS.
struct OriginTLSPlan: Sendable {
  let identity: TLSIdentity
  /// Of one key, for as long as the origin runs.
  let keyring: TicketKeyring

  init(_ identity: TLSIdentity) throws(TLSSetupError) {
    self.identity = identity
    keyring = try TicketKeyring()
    keyring.publish([try .random()], now: 0)
  }
}

/// What the connections of one thread share. Made on that thread.
final class OriginTLS {
  let library: TLSLibrary
  private let context: TLSContext

  init(_ plan: OriginTLSPlan) throws(TLSSetupError) {
    library = try TLSLibrary()
    var options = TLSContextOptions(isServer: true)
    options.identity = plan.identity
    options.keyring = plan.keyring
    options.protocols = ["h2", "http/1.1"].flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    context = try TLSContext(library, options)
  }

  /// nil when memory is short.
  func begin() -> Handshake? { Handshake(context.ref, now: Int64(time(nil))) }
}
