/// What one choice of a host is to heed beside the hosts' state.
package struct HostWish {
  /// Decides the level, and the host where the policy hashes; nil: a random number.
  package var hash: UInt64?
  /// 0, then 1... when the one before was refused.
  package var attempt: UInt32 = 0
  /// What the host's metadata are to be, in clusters with subsets; whoever asks keeps it alive.
  var match: Unmanaged<SubsetMatch>?

  package init(hash: UInt64? = nil) { self.hash = hash }

  init(hash: UInt64?, match: Unmanaged<SubsetMatch>?) {
    self.init(hash: hash)
    self.match = match
  }
}

/// What a worker's own traffic says to a choice.
package struct HostLoad {
  /// Nanoseconds of the worker's clock.
  package var now: UInt64
  /// This worker's requests of all hosts of the cluster.
  package var active: UInt32

  package init(now: UInt64 = 0, active: UInt32 = 0) {
    self.now = now
    self.active = active
  }
}
