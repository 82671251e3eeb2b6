import Synchronization

/// One priority's limits of a cluster, without a reference count.
///
/// A refusal is noted for main, which says once which limit it was.
struct BreakerReference {
  let config: UnsafeMutablePointer<ClusterConfig>
  let isHigh: Bool

  @inline(__always)
  private func use<R>(_ body: (borrowing ClusterShared.Priority) -> R) -> R {
    config.pointee.sharedReference._withUnsafeGuaranteedRef { isHigh ? body($0.high) : body($0.normal) }
  }

  /// Main is to know that a limit has refused somebody.
  func note(_ limit: TrippedLimits) {
    config.pointee.sharedReference._withUnsafeGuaranteedRef { $0.trip(limit.of(isHigh: isHigh)) }
  }

  // MARK: Connections

  func reserveConnection() -> Bool {
    let limit = isHigh ? config.pointee.highLimits.connections : config.pointee.normalLimits.connections
    if use({ $0.connections.reserve(limit: UInt64(limit)) }) { return true }
    note(.connections)
    return false
  }

  /// Takes a unit whatever the limit.
  func takeConnection() {
    use { $0.connections.take() }
  }

  func releaseConnection() {
    use { $0.connections.release() }
  }

  /// `per_host_thresholds.max_connections`
  var hostConnectionsMax: UInt64 {
    UInt64(isHigh ? config.pointee.highLimits.hostConnections : config.pointee.normalLimits.hostConnections)
  }

  // MARK: Pools

  func reservePool() -> Bool {
    let limit = isHigh ? config.pointee.highLimits.pools : config.pointee.normalLimits.pools
    return use { $0.pools.reserve(limit: UInt64(limit)) }
  }

  func releasePool() {
    use { $0.pools.release() }
  }

  // MARK: Requests

  func reservePending() -> Bool {
    let limit = isHigh ? config.pointee.highLimits.pendingRequests : config.pointee.normalLimits.pendingRequests
    if use({ $0.pending.reserve(limit: UInt64(limit)) }) { return true }
    note(.pending)
    return false
  }

  func releasePending() {
    use { $0.pending.release() }
  }

  @inline(__always)
  func reserveRequest() -> Bool {
    let limit = isHigh ? config.pointee.highLimits.requests : config.pointee.normalLimits.requests
    if use({ $0.requests.reserve(limit: UInt64(limit)) }) { return true }
    note(.requests)
    return false
  }

  @inline(__always)
  func releaseRequest() {
    use { $0.requests.release() }
  }

  // MARK: Repeats

  func reserveRetry() -> Bool {
    let recent = config.pointee.sharedReference._withUnsafeGuaranteedRef {
      $0.recentRequests.load(ordering: .relaxed)
    }
    let isTaken = use {
      let limit =
        isHigh
        ? config.pointee.highLimits.retries($0, recentRequests: recent)
        : config.pointee.normalLimits.retries($0, recentRequests: recent)
      return $0.retries.reserve(limit: limit)
    }
    if !isTaken { note(.retries) }
    return isTaken
  }

  #if DEBUG
    /// Takes a unit whatever the limit.
    func takeRetry() {
      _ = use {
        $0.retries.take()
        return true
      }
    }
  #endif

  func releaseRetry() {
    use { $0.retries.release() }
  }
}
