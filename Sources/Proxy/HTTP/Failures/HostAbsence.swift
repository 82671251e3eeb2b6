import Balancing
import HostHealth

extension FailureSentences.Absence {
  /// What is known of the hosts of a cluster that has nobody for a request.
  init(_ cluster: ClusterRef) {
    self.init()
    let set = cluster.pointee.set
    total = set.pointee.hosts.buffer.count
    panicThreshold = set.pointee.settings.levels.panicThreshold
    failsInPanic = set.pointee.settings.levels.failsInPanic
    isOfSubset = set.pointee.subsetView != nil
    for (index, flags) in set.pointee.flags.buffer.enumerated() {
      let shared = set.pointee.hosts.buffer[index].pointer.pointee.shared
      if flags.contains(.failedActiveCheck) {
        failedChecks += 1
        if !lastCheck.isKnown, let note = shared?._withUnsafeGuaranteedRef({ $0.checkNote }) { lastCheck = note }
      } else if flags.contains(.failedOutlierCheck) {
        ejected += 1
        if !ejection.isKnown, let note = shared?._withUnsafeGuaranteedRef({ $0.ejectionNote }) { ejection = note }
      } else if !flags.isDisjoint(with: .unhealthy) {
        discovered += 1
      }
    }
  }
}
