import TLS

/// The certificates that a TLS configuration presents and trusts, as administrators see them.
public struct TLSInventory: Sendable {
  public struct Entry: Sendable {
    /// Names it in statistics: the secret's name, or the file's.
    public let name: String
    /// The file, or `<inline>`.
    public let path: String
    public let facts: CertificateFacts
    /// From when until when its OCSP response may be shown; nil without one.
    public let staple: (from: Int64, until: Int64?)?

    public init(name: String, path: String, facts: CertificateFacts, staple: (from: Int64, until: Int64?)? = nil) {
      self.name = name
      self.path = path
      self.facts = facts
      self.staple = staple
    }
  }

  /// The leaf of each chain.
  public var certificates: [Entry] = []
  /// The first of the authorities that peers are checked by.
  public var authority: Entry?

  public init() {}

  public var all: [Entry] { certificates + (authority.map { [$0] } ?? []) }
}
