import HTTPCore
import Primitives
import Synchronization
import TLS

/// What a TLS listener presents and what it asks of clients, checked. Never changes: a rotated certificate is another one.
public final class TLSServerConfig: @unchecked Sendable {
  // Sendable: immutable, and what it refers to is.
  /// Of everything in it: equal digests mean equal behaviour.
  public let digest: [UInt8]
  /// What a context is made of, one for each certificate. There is at least one.
  public let certificates: [TLSContextOptions]
  public let table: CertificateTable
  /// 0x0303 or 0x0304.
  public let versionMax: UInt16
  public let keyLog: TLSKeyLog?
  public let inventory: TLSInventory

  public init(
    digest: [UInt8], certificates: [TLSContextOptions], table: CertificateTable, versionMax: UInt16,
    keyLog: TLSKeyLog? = nil, inventory: TLSInventory = TLSInventory()
  ) {
    self.keyLog = keyLog
    self.inventory = inventory
    precondition(!certificates.isEmpty)
    self.digest = digest
    self.certificates = certificates
    self.table = table
    self.versionMax = versionMax
  }
}

/// What a cluster presents to its hosts and asks of them.
public final class TLSClientConfig: @unchecked Sendable {
  // Sendable: immutable, and what it refers to is.
  public let digest: [UInt8]
  public let options: TLSContextOptions
  /// `sni`, in lower case; empty = none.
  public let serverName: [UInt8]
  /// The name comes from the endpoint's hostname, when it has one.
  public let takesNameFromEndpoint: Bool
  /// The host's certificate must be for the name that was sent (`auto_san_validation`).
  public let expectsName: Bool
  public let keyLog: TLSKeyLog?
  public let inventory: TLSInventory

  public init(
    digest: [UInt8], options: TLSContextOptions, serverName: [UInt8] = [],
    takesNameFromEndpoint: Bool = false, expectsName: Bool = false, keyLog: TLSKeyLog? = nil,
    inventory: TLSInventory = TLSInventory()
  ) {
    self.keyLog = keyLog
    self.inventory = inventory
    self.digest = digest
    self.options = options
    self.serverName = serverName
    self.takesNameFromEndpoint = takesNameFromEndpoint
    self.expectsName = expectsName
  }
}

/// The place of a TLS configuration in a listener or cluster that lives longer than its certificates.
///
/// Main puts a new value in when a certificate, a key, a CA or a ticket key has changed; handshakes that begin afterwards use
/// it. No connection closes for it, and no snapshot is made. Read once a handshake, so that a lock costs nothing that counts.
public final class TLSSlot<Config: AnyObject & Sendable>: Sendable {
  private let config: Mutex<Config>

  public init(_ config: Config) { self.config = Mutex(config) }

  public var current: Config { config.withLock { $0 } }

  public func replace(with new: Config) { config.withLock { $0 = new } }
}

/// TLS in front of a filter chain.
public struct TLSTransport {
  public let slot: TLSSlot<TLSServerConfig>
  public let stats: TLSStats
  /// Until the handshake must be over, from the connection's first byte; 0 = no limit.
  public var timeoutNanoseconds: UInt64 = 15_000_000_000
  /// What is kept of each connection, beyond the usual.
  public var details: TLSDetailNeeds = []
  /// What `x-forwarded-client-cert` tells of clients.
  public var forwarded: ForwardedCertificate = []

  public init(slot: TLSSlot<TLSServerConfig>, stats: TLSStats) {
    self.slot = slot
    self.stats = stats
  }
}

/// TLS to hosts of a cluster.
public struct TLSUpstreamTransport {
  public let slot: TLSSlot<TLSClientConfig>
  public let stats: TLSStats
  /// Whether connections resume with tickets of earlier ones.
  public var keepsTickets = true
  /// A connection offers what it is going to speak (ALPN), and not what the configuration says.
  public var offersSpokenProtocol = false
  /// What is offered instead, in wire form (RFC 7301 section 3.1); empty: nothing else.
  public var offered = FrozenList<UInt8>([])

  public init(slot: TLSSlot<TLSClientConfig>, stats: TLSStats) {
    self.slot = slot
    self.stats = stats
  }
}
