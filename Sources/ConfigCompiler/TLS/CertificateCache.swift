import TLS

/// Certificates, keys and authorities that were read and checked, by what they were read from: many chains with the
/// same files cost one check.
///
/// A value; what a load did not ask for is not in its cache. Secrets from files keep their certificates themselves.
struct CertificateCache {
  struct Entry {
    let certificate: CheckedCertificate
    /// What is to be said of the chain wherever it is used.
    let chainWarnings: [String]
  }

  /// An authority is known for as long as a configuration in force has it.
  private struct Store {
    weak var store: TrustStore?
  }

  private var entries: [[UInt8]: Entry] = [:]
  private var stores: [[UInt8]: Store] = [:]
  /// Those of the load that is going on.
  private var held: [TrustStore] = []

  /// What this load, or the one before, knows.
  mutating func entry(_ digest: [UInt8], before: CertificateCache) -> Entry? {
    if let known = entries[digest] { return known }
    guard let known = before.entries[digest] else { return nil }
    entries[digest] = known
    return known
  }

  mutating func store(_ digest: [UInt8], before: CertificateCache) -> TrustStore? {
    if let known = stores[digest]?.store { return known }
    guard let known = before.stores[digest]?.store else { return nil }
    add(known, digest)
    return known
  }

  mutating func add(_ entry: Entry, _ digest: [UInt8]) { entries[digest] = entry }

  mutating func add(_ store: TrustStore, _ digest: [UInt8]) {
    stores[digest] = Store(store: store)
    held.append(store)
  }

  /// Takes over the authorities of another, and its certificates.
  mutating func merge(_ other: CertificateCache) {
    entries.merge(other.entries) { $1 }
    stores.merge(other.stores) { $1 }
  }

  /// The same when its load is over.
  var settled: CertificateCache {
    var settled = self
    settled.held = []
    settled.stores = stores.filter { $0.value.store != nil }
    return settled
  }
}
