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

  final class Client {
    fileprivate weak var slot: TLSSlot<TLSClientConfig>?
    let config: TLSClientConfig
    let context: TLSContext
    /// No other configuration of this worker has it: tickets are good for one alone.
    let number: UInt32

    fileprivate init(_ slot: TLSSlot<TLSClientConfig>, _ config: TLSClientConfig, _ context: TLSContext, _ number: UInt32) {
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

  /// Called with a connection, a line for the key log, and the log.
  typealias KeyLogger = @Sendable (TLSRef, ByteView, TLSKeyLog) -> Void
  private let logKeys: KeyLogger

  init(logKeys: @escaping KeyLogger) throws(TLSSetupError) {
    library = try TLSLibrary()
    self.logKeys = logKeys
  }

  private func context(_ options: TLSContextOptions, _ keyLog: TLSKeyLog?) throws(TLSSetupError) -> TLSContext {
    guard let keyLog else { return try TLSContext(library, options) }
    var own = options
    own.keyLog = { [logKeys] connection, line in
      guard let connection else { return }
      logKeys(connection.assumingMemoryBound(to: TLSConnection.self), line, keyLog)
    }
    return try TLSContext(library, own)
  }

  /// The context for a hello, and whether its OCSP response is to be sent.
  ///
  /// - Returns: Nil when no certificate may be used (OCSP).
  /// - Throws: When the library refuses what the configuration's check has let pass.
  func server(
    _ slot: TLSSlot<TLSServerConfig>, serverName: ByteView, hello: ClientHello?, now: Int64
  ) throws(TLSSetupError) -> (context: TLSContext, sendsStaple: Bool)? {
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
    let context = try context(config.certificates[index], config.keyLog)
    server.contexts[index] = context
    return (context, choice.sendsStaple)
  }

  func client(_ slot: TLSSlot<TLSClientConfig>) throws(TLSSetupError) -> Client {
    let config = slot.current
    let key = ObjectIdentifier(slot)
    if let known = clients[key], known.config === config { return known }
    clientsMade &+= 1
    let made = Client(slot, config, try context(config.options, config.keyLog), clientsMade)
    clients[key] = made
    return made
  }

  /// Forgets listeners and clusters that are gone. After a new snapshot.
  func sweep() {
    servers = servers.filter { $0.value.slot != nil }
    clients = clients.filter { $0.value.slot != nil }
  }
}
