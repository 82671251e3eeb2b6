/// TLS handshakes that came to a good end.
public struct TLSCounts: Sendable, Equatable {
  public var handshakes: UInt64 = 0
  /// Those that used a ticket of an earlier connection.
  public var resumed: UInt64 = 0
  /// What was agreed on, as "TLSv1.3 TLS_AES_256_GCM_SHA384", and how often.
  public var agreed: [String: UInt64] = [:]

  public init() {}

  public mutating func merge(_ other: TLSCounts) {
    handshakes &+= other.handshakes
    resumed &+= other.resumed
    for (name, count) in other.agreed { agreed[name, default: 0] &+= count }
  }

  /// Most frequent first.
  public var agreedInOrder: [(name: String, count: UInt64)] {
    agreed.map { (name: $0.key, count: $0.value) }.sorted { ($1.count, $0.name) < ($0.count, $1.name) }
  }
}
