import TLS

/// Certificates, keys and authorities that were read and checked, by what they were read from: many chains with the
/// same files cost one check. A value; what a load did not ask for is not in its cache.
struct CertificateCache {
  struct Entry {
    let certificate: CheckedCertificate
    /// What is to be said of the chain wherever it is used.
    let chainWarnings: [String]
  }

  private(set) var entries: [[UInt8]: Entry] = [:]
  private var stores: [[UInt8]: TrustStore] = [:]

  /// What this load, or the one before, knows.
  mutating func entry(_ digest: [UInt8], before: CertificateCache) -> Entry? {
    if let known = entries[digest] { return known }
    guard let known = before.entries[digest] else { return nil }
    entries[digest] = known
    return known
  }

  mutating func store(_ digest: [UInt8], before: CertificateCache) -> TrustStore? {
    if let known = stores[digest] { return known }
    guard let known = before.stores[digest] else { return nil }
    stores[digest] = known
    return known
  }

  mutating func add(_ entry: Entry, _ digest: [UInt8]) { entries[digest] = entry }
  mutating func add(_ store: TrustStore, _ digest: [UInt8]) { stores[digest] = store }

  /// Takes over what another has.
  mutating func merge(_ other: CertificateCache) {
    entries.merge(other.entries) { $1 }
    stores.merge(other.stores) { $1 }
  }
}
