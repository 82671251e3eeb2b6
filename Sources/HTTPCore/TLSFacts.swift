import Primitives

/// What is known of a TLS connection, as logs and headers show it: views into memory that lives as long as the connection, or
/// for ever. Texts that are absent are empty.
public struct TLSFacts: BitwiseCopyable {
  /// `TLSv1.3`
  public var version = ByteView.empty
  /// OpenSSL's name; that of TLS 1.3 suites is the registered one.
  public var cipher = ByteView.empty
  /// Lower hex; TLS 1.2 only.
  public var sessionID = ByteView.empty
  /// From the connection's first byte to the end of the handshake.
  public var handshakeNanoseconds: UInt64 = 0

  // The peer's certificate
  /// RFC 2253: `CN=client one,O=Test\, Inc`
  public var subject = ByteView.empty
  public var issuer = ByteView.empty
  /// Lower hex.
  public var serial = ByteView.empty
  public var fingerprint256 = ByteView.empty
  public var fingerprint1 = ByteView.empty
  // Subject alternative names of a kind, joined by commas.
  public var uriNames = ByteView.empty
  public var dnsNames = ByteView.empty
  public var ipNames = ByteView.empty
  public var emailNames = ByteView.empty
  public var otherNames = ByteView.empty

  /// What only some logs, headers and rules ask for; nil = nothing was kept.
  public var details: UnsafePointer<TLSDetails>?

  public init() {}
}

/// Facts of a TLS connection that are long or seldom wanted. Texts that are absent are empty.
public struct TLSDetails: BitwiseCopyable {
  // The peer's certificate
  /// PEM, with `%0A` and the like, so that it is one word.
  public var pem = ByteView.empty
  /// Seconds since 1970; nil without a certificate.
  public var notBefore: Int64?
  public var notAfter: Int64?
  // Of the whole chain that was sent, the leaf first, joined by commas.
  public var chainSerials = ByteView.empty
  public var chainFingerprints256 = ByteView.empty
  public var chainFingerprints1 = ByteView.empty

  // Our own certificate
  public var localSubject = ByteView.empty
  public var localURINames = ByteView.empty
  public var localDNSNames = ByteView.empty
  public var localIPNames = ByteView.empty
  public var localEmailNames = ByteView.empty
  public var localOtherNames = ByteView.empty

  /// The element of `x-forwarded-client-cert` that tells of the peer.
  public var forwardedElement = ByteView.empty

  public init() {}
}

/// Which ``TLSDetails`` are kept, because somebody asks for them.
public struct TLSDetailNeeds: OptionSet, BitwiseCopyable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let validity = TLSDetailNeeds(rawValue: 1 << 0)
  public static let pem = TLSDetailNeeds(rawValue: 1 << 1)
  public static let chain = TLSDetailNeeds(rawValue: 1 << 2)
  /// Names of our own certificate.
  public static let local = TLSDetailNeeds(rawValue: 1 << 3)
}

extension TLSFacts {
  /// A copy whose texts are in `arena`, for whoever outlives the connection.
  public func copied(to arena: inout Arena) -> UnsafePointer<TLSFacts> {
    var copy = self
    copy.eachText { $0 = arena.copy($0) }
    if let details {
      var own = details.pointee
      own.eachText { $0 = arena.copy($0) }
      let room = arena.allocate(of: TLSDetails.self, count: 1)
      room.initialize(to: own)
      copy.details = UnsafePointer(room)
    }
    let room = arena.allocate(of: TLSFacts.self, count: 1)
    room.initialize(to: copy)
    return UnsafePointer(room)
  }
}

extension TLSFacts {
  /// Calls `body` with each text that does not live for ever.
  @inline(__always)
  fileprivate mutating func eachText(_ body: (inout ByteView) -> Void) {
    body(&sessionID)
    body(&subject)
    body(&issuer)
    body(&serial)
    body(&fingerprint256)
    body(&fingerprint1)
    body(&uriNames)
    body(&dnsNames)
    body(&ipNames)
    body(&emailNames)
    body(&otherNames)
  }
}

extension TLSDetails {
  @inline(__always)
  fileprivate mutating func eachText(_ body: (inout ByteView) -> Void) {
    body(&pem)
    body(&chainSerials)
    body(&chainFingerprints256)
    body(&chainFingerprints1)
    body(&localSubject)
    body(&localURINames)
    body(&localDNSNames)
    body(&localIPNames)
    body(&localEmailNames)
    body(&localOtherNames)
    body(&forwardedElement)
  }
}
