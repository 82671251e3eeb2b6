import LoadBase
public import TLS

/// How connections are secured.
public struct TLSPlan: Sendable {
  /// Whom the certificate must be for, and whom we ask for unless it is an address.
  public var serverName: String
  /// What the server's certificate must lead to; nil: any certificate is fine.
  public var authorities: TrustStore?
  public var identity: TLSIdentity?
  /// 0x0303 is TLS 1.2, 0x0304 TLS 1.3.
  public var versionMin: UInt16 = 0x0303
  public var versionMax: UInt16 = 0x0304
  /// Connections use tickets of earlier ones.
  public var resumes = false

  public init(serverName: String, authorities: TrustStore?) {
    self.serverName = serverName
    self.authorities = authorities
  }

  /// What a thread makes its context of.
  /// - Parameter protocols: To be offered (ALPN), the preferred first.
  func contextOptions(_ protocols: [String]) -> TLSContextOptions {
    var options = TLSContextOptions(isServer: false)
    options.versionMin = versionMin
    options.versionMax = versionMax
    options.identity = identity
    options.protocols = protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    options.rules = authorities.map { PeerRules(store: $0) }
    options.tickets = resumes ? 1 : 0
    return options
  }
}
