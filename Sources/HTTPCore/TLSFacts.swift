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

  public init() {}
}
