import Balancing
import Primitives

/// The ring or table of one list of hosts, with what it was made of. Shared by all sets whose list is the same.
final class HashedList: Sendable {
  let storage: HashTableStorage
  /// By position in the list, normalised.
  let weights: [Double]
  /// The same for workers; nil without a bounded load.
  let shares: FrozenList<Double>?
  let counts: HashCounts

  /// - Parameter weights: By position, normalised; a host of weight 0 is left out.
  /// - Returns: Nil when nobody is in the list.
  init?(_ settings: BalanceSettings, hosts: [Frozen<HostConfig>], weights: [Double]) {
    let hashed = hosts.indices.filter { weights[$0] > 0 }.map { position in
      HashedHost(
        number: UInt32(position), key: Self.key(hosts[position], settings.hashing), weight: weights[position])
    }
    let made: HashTableStorage?
    if settings.policy == .maglev {
      // The size was checked when it was read.
      guard let table = MaglevTable(hashed, size: settings.hashing.tableSize) else { return nil }
      made = HashTableStorage(table)
      counts = HashCounts(
        size: UInt64(table.numbers.count), minimum: UInt64(table.entriesPerHostMin), maximum: UInt64(table.entriesPerHostMax))
    } else {
      let ring = HashRing(
        hashed, minimum: settings.hashing.ringMinimum, maximum: settings.hashing.ringMaximum,
        function: settings.hashing.function)
      made = HashTableStorage(ring)
      counts = HashCounts(size: ring.size, minimum: ring.entriesPerHostMin, maximum: ring.entriesPerHostMax)
    }
    guard let made else { return nil }
    storage = made
    self.weights = weights
    shares = settings.hashing.boundedLoad == nil ? nil : FrozenList(weights)
  }

  /// What stands for a host.
  private static func key(_ host: Frozen<HostConfig>, _ settings: HashSettings) -> [UInt8] {
    let config = host.pointer
    if let key = config.pointee.hashKey { return key.view.array }
    if settings.usesHostnames, !config.pointee.hostname.view.isEmpty { return config.pointee.hostname.view.array }
    return config.pointee.text.view.array
  }
}

/// How large a ring or table is, and how many entries its hosts have.
public struct HashCounts: Sendable, Equatable {
  public let size: UInt64
  public let minimum: UInt64
  public let maximum: UInt64

  public init(size: UInt64, minimum: UInt64, maximum: UInt64) {
    self.size = size
    self.minimum = minimum
    self.maximum = maximum
  }
}
