import Balancing

/// Where a worker's turns begin: workers evenly apart, clusters at places of their own.
package struct TurnsStart {
  /// Of the cluster's name.
  let digest: UInt64
  let worker: UInt32
  let workers: UInt32

  package init(digest: UInt64 = 0, worker: UInt32 = 0, workers: UInt32 = 1) {
    self.digest = digest
    self.worker = worker
    self.workers = workers
  }

  func position(_ count: UInt32) -> UInt32 {
    WorkerStart.position(digest: digest, worker: worker, workers: workers, count: count)
  }
}
