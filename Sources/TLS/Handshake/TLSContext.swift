import COpenSSL
import Primitives

/// A certificate with what belongs to it, as one side presents it.
public struct TLSIdentity: Sendable {
  /// DER, the leaf first.
  public var chain: [[UInt8]]
  /// PKCS#8 DER.
  public var key: SecretBytes
  /// DER of an OCSP response for the leaf, sent to clients that ask.
  public var staple: [UInt8]?

  public init(chain: [[UInt8]], key: SecretBytes, staple: [UInt8]? = nil) {
    self.chain = chain
    self.key = key
    self.staple = staple
  }
}

/// What a ``TLSContext`` is made of.
public struct TLSContextOptions {
  public var isServer: Bool
  /// 0x0303 is TLS 1.2, 0x0304 TLS 1.3.
  public var versionMin: UInt16 = 0x0303
  public var versionMax: UInt16 = 0x0304
  /// Lists in OpenSSL's syntax, `:` in between; nil is the library's default.
  public var ciphers: String?
  /// Suites of TLS 1.3; configurations cannot choose them, tests can.
  package var suitesOfTLS13: String?
  public var groups: String?
  public var signatures: String?
  public var identity: TLSIdentity?
  /// Of `identity`.
  public var ownTexts: OwnCertificateTexts?
  /// ALPN in wire form, each protocol behind a byte with its length, the preferred first.
  public var protocols: [UInt8] = []
  /// What the peer must be. nil: a server asks for no certificate, a client believes any.
  public var rules: PeerRules?
  public var prefersClientCiphers = false
  /// A server's tickets after a full handshake; 0 and no keyring: no resumption. For a client: not 0 when tickets are kept.
  public var tickets = 1
  public var keyring: TicketKeyring?
  /// What a ticket must have been given for; 32 bytes.
  public var idContext = [UInt8](repeating: 0, count: 32)
  /// How long a ticket may be used, in seconds.
  public var lifetimeSeconds: UInt32 = 7_200
  /// Gets each line for key log files; `connection` is the handshake's. Whoever has these lines can read the traffic.
  public var keyLog: (@Sendable (_ connection: UnsafeMutableRawPointer?, _ line: ByteView) -> Void)?

  public init(isServer: Bool) { self.isServer = isServer }
}

/// What connections with the same settings share on one worker; made on first use (0.7 ms with a certificate), for one thread.
public final class TLSContext {
  let pointer: OpaquePointer
  private let library: TLSLibrary
  private let callbacks: TLSContextCallbacks
  private let keyring: TicketKeyring?
  public let ownTexts: OwnCertificateTexts?

  /// - Throws: ``TLSSetupError`` with a sentence: an unreadable certificate or key, a list that OpenSSL does not know.
  public init(_ library: TLSLibrary, _ options: TLSContextOptions) throws(TLSSetupError) {
    let callbacks = TLSContextCallbacks(options)
    var raw = copenssl_options()
    var error = [UInt8](repeating: 0, count: 256)
    let made = options.fill(&raw, callbacks) { raw in
      error.withUnsafeMutableBytes {
        copenssl_context_new(library.pointer, &raw, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
      }
    }
    guard let made else {
      throw TLSSetupError(String(decoding: error.prefix { $0 != 0 }, as: UTF8.self))
    }
    pointer = made
    self.library = library
    self.callbacks = callbacks
    keyring = options.keyring
    ownTexts = options.ownTexts
  }

  deinit { copenssl_context_free(pointer) }

  /// What peers must be.
  public var rules: PeerRules? { callbacks.rules }

  /// The context without its reference count, for as long as somebody else holds it.
  public var ref: TLSContextRef { TLSContextRef(pointer: pointer) }
}

/// See ``TLSContext/ref``.
public struct TLSContextRef: BitwiseCopyable {
  let pointer: OpaquePointer
}

/// What C hands back to callbacks.
final class TLSContextCallbacks {
  let keyLog: (@Sendable (UnsafeMutableRawPointer?, ByteView) -> Void)?
  let rules: PeerRules?

  init(_ options: TLSContextOptions) {
    rules = options.rules
    keyLog = options.keyLog
  }

  static func of(_ pointer: UnsafeMutableRawPointer?) -> TLSContextCallbacks? {
    pointer.map { Unmanaged<TLSContextCallbacks>.fromOpaque($0).takeUnretainedValue() }
  }
}
