/// A host as ring and table are built from it.
public struct HashedHost: Sendable, Equatable {
  /// What a choice answers: the builder's number of the host. With ``BoundedLoad`` a position in its
  /// weights.
  public let number: UInt32
  /// What stands for the host: `hash_key` of its metadata, its hostname, or `address:port`.
  public let key: [UInt8]
  /// Its part of the whole, above 0; all hosts' together are 1.
  public let weight: Double

  public init(number: UInt32, key: [UInt8], weight: Double) {
    self.number = number
    self.key = key
    self.weight = weight
  }
}

/// Weights of hosts as parts of 1 (Envoy `thread_aware_lb_impl.cc`, `normalizeHostWeights`).
public enum NormalizedWeights {
  /// weight * `part` / sum of weights
  ///
  /// - Parameter part: What the hosts have together, 1 without localities.
  public static func hosts(_ weights: [UInt32], part: Double = 1) -> [Double] {
    let sum = weights.reduce(UInt64(0)) { $0 + UInt64($1) }
    guard sum > 0 else { return weights.map { _ in 0 } }
    return weights.map { Double($0) * part / Double(sum) }
  }

  /// The same with weighted localities: each locality's part is its weight of the sum of them, also
  /// when it has no hosts here. Hosts of a locality of weight 0 get 0: they are left out.
  ///
  /// - Returns: Of each locality, its hosts'.
  public static func localities(
    _ localities: [(weight: UInt32, hosts: [UInt32])]
  ) -> [[Double]] {
    let sum = localities.reduce(UInt64(0)) { $0 + UInt64($1.weight) }
    return localities.map { locality in
      guard locality.weight > 0 else { return locality.hosts.map { _ in 0 } }
      return hosts(locality.hosts, part: Double(locality.weight) / Double(sum))
    }
  }
}
