import HTTPCore

/// Settings and limits of one side: of a connection manager, or of a cluster
/// (`Http2ProtocolOptions` of Envoy's `protocol.proto`). Flat.
@frozen
public struct HTTP2Options: Sendable {
  /// Bytes of the HPACK tables, ours and at most the peer's (RFC 7541 section 4.2).
  public var headerTableSize: UInt32 = 4096
  /// Server: SETTINGS_MAX_CONCURRENT_STREAMS. Client: taken as the peer's until it says its own.
  public var maxConcurrentStreams: UInt32 = 1024
  /// Bytes a peer may send on a stream before it must be given more.
  public var initialStreamWindow: UInt32 = 16 << 20
  /// The same for the connection; at least 65,535, which is what the protocol begins with.
  public var initialConnectionWindow: UInt32 = 24 << 20
  /// Server: SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441).
  public var allowsConnect = false
  /// Names and values of a decoded list, cookie crumbs included, in bytes.
  public var headBytesMax: UInt32 = 60 * 1024
  /// Fields of a decoded list, pseudo-headers and cookie crumbs included.
  public var fieldCountMax: UInt32 = 100
  public var underscores = UnderscorePolicy.allow
  /// Bytes from 0x80 on in a value make a message malformed (`disallow_obs_text`).
  public var refusesObsText = false
  /// A malformed message ends the connection, not only its stream.
  public var closesOnMalformed = true
  public var budgets = FrameBudgets()
  /// Identifiers and values of further settings to send.
  public var extraSettings = InlineArray<8, (UInt16, UInt32)>(repeating: (0, 0))
  public var extraSettingsCount = 0

  public init() {}
}
