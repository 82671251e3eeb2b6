import CURing
import Primitives
import Reactor

let segmentCases: [MicroCase] = [
  MicroCase("segment-receive-and-release") { try receiving() },
  MicroCase("segment-split") { try splitting() },
  MicroCase("segment-copy-head") { try copying() },
]

/// A kernel that only lets buffers be registered.
private final class BufferKernel: Kernel {
  init() {
    let ring = UnsafeMutablePointer<io_uring>.allocate(capacity: 1)
    ring.initialize(to: io_uring())
    super.init(ring: ring)
  }

  override func registerBuffers(
    ring: UnsafeMutableRawPointer, count: Int, group: UInt16
  ) -> Int32 { 0 }
}

/// What a receive costs: a segment over a provided buffer, through a queue, and back.
private func receiving() throws -> (Int) -> UInt64 {
  let pool = try SegmentPool(kernel: BufferKernel())
  return { count in
    var digest = Digest()
    for i in 0..<count {
      var queue = SegmentQueue()
      queue.append(pool.received(.small, buffer: UInt16(i & 255), count: 1024))
      digest.add(queue.byteCount)
      pool.releaseAll(&queue)
    }
    precondition(pool.lentCount == 0, "nothing is leaked")
    return digest.value
  }
}

/// A message that ends within a buffer.
private func splitting() throws -> (Int) -> UInt64 {
  let pool = try SegmentPool(kernel: BufferKernel())
  return { count in
    var digest = Digest()
    for i in 0..<count {
      let rest = pool.received(.small, buffer: UInt16(i & 255), count: 1024)
      let front = pool.split(rest, at: 500)
      digest.add(front.pointee.count)
      pool.release(rest)
      pool.release(front)
    }
    precondition(pool.lentCount == 0, "nothing is leaked")
    return digest.value
  }
}

/// A head of 300 bytes and a body of 1 KiB into one chunk, sent in two pieces.
private func copying() throws -> (Int) -> UInt64 {
  let pool = try SegmentPool(kernel: BufferKernel())
  let head = lasting(String(repeating: "h", count: 300))
  let body = lasting(String(repeating: "b", count: 1024))
  return { count in
    var digest = Digest()
    for _ in 0..<count {
      var queue = SegmentQueue()
      let target = pool.reserve(400, in: &queue)
      target.update(from: head.base, count: head.count)
      pool.unreserve(400 - head.count, in: &queue)
      pool.copy(body, to: &queue)
      pool.drop(1000, from: &queue)
      digest.add(queue.byteCount)
      pool.drop(queue.byteCount, from: &queue)
    }
    precondition(pool.lentCount == 0, "nothing is leaked")
    return digest.value
  }
}
