import Primitives

/// Where the secrets of TLS connections are written (`key_log`), for tools that decrypt what was recorded.
public struct TLSKeyLog: Sendable {
  /// Index of the file at the log writer.
  public let target: UInt16
  /// Only connections with these addresses of ours and of the peer; empty = all.
  public let local: [AddressRange]
  public let remote: [AddressRange]

  public init(target: UInt16, local: [AddressRange], remote: [AddressRange]) {
    self.target = target
    self.local = local
    self.remote = remote
  }
}
