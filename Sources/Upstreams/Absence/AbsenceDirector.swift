import HostHealth
import Proxy
import Stats

/// Says in the process log when a cluster begins to have no host for requests, and when that is over: a cluster that is
/// out is the first thing that somebody who was woken wants to read.
final class AbsenceDirector {
  /// A cluster as it is now.
  struct Cluster {
    let name: String
    /// Requests that have found nobody (`upstream_cx_none_healthy`).
    let missed: Counter
  }

  private struct Watch {
    let cluster: Cluster
    var missed: UInt64
    /// Seconds without a miss since the log has spoken of it; nil: it has not.
    var quietSeconds: Int?
  }

  /// So many seconds without a miss are the end of it. Misses that come now and then are said once.
  static let quietSecondsMin = 10

  private let read: (Counter) -> UInt64
  /// What is known of a cluster's hosts now.
  private let hosts: (_ cluster: String) -> Frozen<HostSet>?
  private let note: (_ isWarning: Bool, String) -> Void
  private var watches: [Watch] = []

  init(
    read: @escaping (Counter) -> UInt64, hosts: @escaping (String) -> Frozen<HostSet>?,
    note: @escaping (Bool, String) -> Void
  ) {
    self.read = read
    self.hosts = hosts
    self.note = note
  }

  /// These are the clusters from now on.
  func update(_ clusters: [Cluster]) {
    let known = Dictionary(watches.map { ($0.cluster.name, $0) }) { first, _ in first }
    watches = clusters.map { cluster in
      guard let old = known[cluster.name], old.cluster.missed == cluster.missed else {
        return Watch(cluster: cluster, missed: read(cluster.missed))
      }
      return old
    }
  }

  func everySecond() {
    for index in watches.indices {
      let missed = read(watches[index].cluster.missed)
      let isMissing = missed > watches[index].missed
      // It may have been reset in between (`/reset_counters`).
      watches[index].missed = missed
      look(at: &watches[index], isMissing)
    }
  }

  private func look(at watch: inout Watch, _ isMissing: Bool) {
    let name = watch.cluster.name
    switch (watch.quietSeconds, isMissing) {
    case (nil, false): break
    case (nil, true):
      watch.quietSeconds = 0
      let why = hosts(name).map { Self.sentence(Array($0.pointer.pointee.flags.buffer)) } ?? "it is gone"
      note(true, "cluster \"\(name)\": no host for a request, which fails with 503 UH: \(why)")
    case (_?, true): watch.quietSeconds = 0
    case (let seconds?, false) where seconds + 1 >= Self.quietSecondsMin:
      watch.quietSeconds = nil
      note(false, "cluster \"\(name)\": no request has missed a host for \(Self.quietSecondsMin) s")
    case (let seconds?, false): watch.quietSeconds = seconds + 1
    }
  }

  /// Why nobody can be chosen.
  static func sentence(_ flags: [HostFlags]) -> String {
    if flags.isEmpty { return "it has no hosts" }
    let checks = flags.count { $0.contains(.failedActiveCheck) }
    let ejected = flags.count { !$0.contains(.failedActiveCheck) && $0.contains(.failedOutlierCheck) }
    let others = flags.count { $0.isDisjoint(with: [.failedActiveCheck, .failedOutlierCheck]) && $0.state == .unhealthy }
    let parts = [(checks, "failed checks"), (ejected, "ejected"), (others, "configured as unhealthy or draining")]
      .filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    let hosts = "\(flags.count) host\(flags.count == 1 ? "" : "s")"
    return parts.isEmpty ? "of \(hosts) none may be chosen" : "of \(hosts) \(parts.joined(separator: ", "))"
  }
}
