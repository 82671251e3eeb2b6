import CURing

/// Submission and completion queue in liburing's layout, owned by nobody but this process.
struct RingMemory {
  let ring: UnsafeMutablePointer<io_uring>
  private let indices: UnsafeMutablePointer<UInt32>
  let entryCount: UInt32

  /// - Parameters:
  ///   - entries: A power of two.
  ///   - completions: A power of two, not fewer.
  init(entries: UInt32, completions: UInt32) {
    entryCount = entries
    indices = .allocate(capacity: 8)
    indices.initialize(repeating: 0, count: 8)
    ring = .allocate(capacity: 1)
    ring.initialize(to: io_uring())
    ring.pointee.sq.khead = indices
    ring.pointee.sq.ktail = indices + 1
    ring.pointee.sq.kflags = indices + 2
    ring.pointee.sq.kdropped = indices + 3
    ring.pointee.sq.ring_mask = entries - 1
    ring.pointee.sq.ring_entries = entries
    ring.pointee.sq.sqes = .allocate(capacity: Int(entries))
    ring.pointee.sq.sqes.initialize(repeating: io_uring_sqe(), count: Int(entries))
    ring.pointee.cq.khead = indices + 4
    ring.pointee.cq.ktail = indices + 5
    ring.pointee.cq.kflags = indices + 6
    ring.pointee.cq.koverflow = indices + 7
    ring.pointee.cq.ring_mask = completions - 1
    ring.pointee.cq.ring_entries = completions
    // A completion ends in a flexible array of no elements: its stride is its size.
    ring.pointee.cq.cqes = .allocate(capacity: Int(completions))
    ring.pointee.cq.cqes.initialize(repeating: io_uring_cqe(), count: Int(completions))
  }

  func deallocate() {
    ring.pointee.sq.sqes.deallocate()
    ring.pointee.cq.cqes.deallocate()
    ring.deallocate()
    indices.deallocate()
  }

  /// Takes the oldest submitted entry.
  func nextSubmission() -> UnsafeMutablePointer<io_uring_sqe>? {
    guard ring.pointee.sq.sqe_head != ring.pointee.sq.sqe_tail else { return nil }
    let entry = ring.pointee.sq.sqes + Int(ring.pointee.sq.sqe_head & ring.pointee.sq.ring_mask)
    ring.pointee.sq.sqe_head &+= 1
    return entry
  }

  /// Makes room in the submission queue for what has been taken.
  func submissionsTaken() { ring.pointee.sq.khead.pointee = ring.pointee.sq.sqe_head }

  var readyCompletions: UInt32 {
    ring.pointee.cq.ktail.pointee &- ring.pointee.cq.khead.pointee
  }

  var hasRoomForCompletion: Bool { readyCompletions < ring.pointee.cq.ring_entries }

  func post(userData: UInt64, result: Int32, flags: UInt32) {
    let tail = ring.pointee.cq.ktail.pointee
    let entry = ring.pointee.cq.cqes + Int(tail & ring.pointee.cq.ring_mask)
    entry.pointee.user_data = userData
    entry.pointee.res = result
    entry.pointee.flags = flags
    ring.pointee.cq.ktail.pointee = tail &+ 1
  }
}
