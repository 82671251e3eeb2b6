import Glibc
import Primitives
import Proxy
import Stats

extension SnapshotBuilder {
  /// Remembers what this configuration has read, and nothing else.
  func keepSecrets() {
    var records: [SecretKey: SecretRecord] = [:]
    for case (let key, let checked?) in pass.secrets {
      let record: SecretRecord
      if var known = pass.state.secrets[key] {
        known.checked = checked
        record = known
      } else {
        let owner = StatsScopeOwner(registry, prefix: "sds.\(key.name).")
        record = SecretRecord(checked: checked, statsOwner: owner, stats: SecretStats(owner.scope))
      }
      registry.mainSlab.increment(record.stats.updateAttempt)
      record.countSuccess(registry)
      records[key] = record
    }
    pass.state.secrets = records
    pass.state.watchedDirectories = pass.watchedDirectories
    pass.state.certificates = pass.certificates.settled
  }
}

extension SecretRecord {
  func countSuccess(_ registry: StatsRegistry) {
    let slab = registry.mainSlab
    var clock = timespec()
    clock_gettime(CLOCK_REALTIME, &clock)
    let now = UInt64(max(0, clock.tv_sec)) &* 1000 &+ UInt64(max(0, clock.tv_nsec)) / 1_000_000
    slab.increment(stats.updateSuccess)
    slab.set(stats.updateTime, to: now)
    let version = Array(checked.version.utf8)
    version.withUnsafeBufferPointer { text in
      let hash = xxHash64(text.baseAddress.map { ByteView($0, text.count) } ?? .empty)
      // What a gauge has room for.
      slab.set(stats.version, to: hash & ((1 << 62) - 1))
    }
    statsOwner.scope.setText("version_text", to: checked.version)
  }
}
