/// One priority's limits of a cluster, without a reference count.
struct BreakerReference {
  let shared: Unmanaged<ClusterShared>
  let isHigh: Bool

  func reservePending(_ limit: UInt32) -> Bool {
    shared._withUnsafeGuaranteedRef {
      isHigh ? $0.high.pending.reserve(limit: limit) : $0.normal.pending.reserve(limit: limit)
    }
  }

  func releasePending() {
    shared._withUnsafeGuaranteedRef {
      isHigh ? $0.high.pending.release() : $0.normal.pending.release()
    }
  }

  func reserveRequest(_ limit: UInt32) -> Bool {
    shared._withUnsafeGuaranteedRef {
      isHigh ? $0.high.requests.reserve(limit: limit) : $0.normal.requests.reserve(limit: limit)
    }
  }

  func reserveRetry(_ limit: UInt32) -> Bool {
    shared._withUnsafeGuaranteedRef {
      isHigh ? $0.high.retries.reserve(limit: limit) : $0.normal.retries.reserve(limit: limit)
    }
  }

  func releaseRetry() {
    shared._withUnsafeGuaranteedRef {
      isHigh ? $0.high.retries.release() : $0.normal.retries.release()
    }
  }

  func releaseRequest() {
    shared._withUnsafeGuaranteedRef {
      isHigh ? $0.high.requests.release() : $0.normal.requests.release()
    }
  }
}
