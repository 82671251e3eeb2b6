import Primitives
import TLS

/// Contexts of the library on one worker, made on first use (0.7 ms with a certificate).
final class TLSContexts {
  private final class Server {
    weak var slot: TLSSlot<TLSServerConfig>?
    let config: TLSServerConfig
    var contexts: [TLSContext?]

    init(_ slot: TLSSlot<TLSServerConfig>, _ config: TLSServerConfig) {
      self.slot = slot
      self.config = config
      contexts = Array(repeating: nil, count: config.certificates.count)
    }
  }

  private final class Client {
    weak var slot: TLSSlot<TLSClientConfig>?
    let config: TLSClientConfig
    let context: TLSContext
    let number: UInt32

    init(_ slot: TLSSlot<TLSClientConfig>, _ config: TLSClientConfig, _ context: TLSContext, _ number: UInt32) {
      self.slot = slot
      self.config = config
      self.context = context
      self.number = number
    }
  }

  let library: TLSLibrary
  private var servers: [ObjectIdentifier: Server] = [:]
  private var clients: [ObjectIdentifier: Client] = [:]
  private var clientsMade: UInt32 = 0

  init() throws(TLSSetupError) { library = try TLSLibrary() }

  /// The context for a hello, and whether its OCSP response is to be sent.
  ///
  /// - Returns: Nil when no certificate may be used (OCSP), or when the library refuses one, which was tried when the
  ///   configuration was checked.
  func server(
    _ slot: TLSSlot<TLSServerConfig>, serverName: ByteView, hello: ClientHello?, now: Int64
  ) -> (context: TLSContext, sendsStaple: Bool)? {
    let config = slot.current
    let key = ObjectIdentifier(slot)
    let server: Server
    if let known = servers[key], known.config === config {
      server = known
    } else {
      // Contexts of handshakes under way are held by them.
      server = Server(slot, config)
      servers[key] = server
    }
    let choice = config.table.choose(
      serverName: serverName,
      curves: hello.map { $0.ecdsaCurves(serverVersionMax: config.versionMax) } ?? .all,
      wantsStaple: hello?.wantsStaple ?? false, now: now)
    guard let index = choice.index else { return nil }
    if let context = server.contexts[index] { return (context, choice.sendsStaple) }
    guard let context = try? TLSContext(library, config.certificates[index]) else { return nil }
    server.contexts[index] = context
    return (context, choice.sendsStaple)
  }

  /// - Returns: Also a number that no other configuration of this worker has: tickets are good for one alone.
  func client(
    _ slot: TLSSlot<TLSClientConfig>
  ) -> (config: TLSClientConfig, context: TLSContext, number: UInt32)? {
    let config = slot.current
    let key = ObjectIdentifier(slot)
    if let known = clients[key], known.config === config {
      return (config, known.context, known.number)
    }
    guard let context = try? TLSContext(library, config.options) else { return nil }
    clientsMade &+= 1
    clients[key] = Client(slot, config, context, clientsMade)
    return (config, context, clientsMade)
  }

  /// Forgets listeners and clusters that are gone. After a new snapshot.
  func sweep() {
    servers = servers.filter { $0.value.slot != nil }
    clients = clients.filter { $0.value.slot != nil }
  }
}
