import CURing
import Primitives
import Testing

@testable import Reactor

/// A kernel that only lets buffers be registered.
private final class BufferKernel: Kernel {
  init() {
    let ring = UnsafeMutablePointer<io_uring>.allocate(capacity: 1)
    ring.initialize(to: io_uring())
    super.init(ring: ring)
  }

  deinit { ring.deallocate() }

  override func registerBuffers(
    ring: UnsafeMutableRawPointer, count: Int, group: UInt16
  ) -> Int32 { 0 }
}

struct SegmentPoolTests {
  private let kernel = BufferKernel()
  private let pool: SegmentPool

  init() throws {
    var sizes = SegmentPool.Sizes()
    sizes.smallCount = 8
    sizes.smallBytes = 64
    sizes.largeCount = 2
    sizes.largeBytes = 256
    pool = try SegmentPool(kernel: kernel, sizes: sizes)
  }

  private func bytes(_ queue: SegmentQueue) -> [UInt8] {
    var all: [UInt8] = []
    var segment = queue.head
    while let current = segment {
      all += UnsafeBufferPointer(start: current.pointee.base, count: current.pointee.count)
      segment = current.pointee.next
    }
    return all
  }

  private func received(_ buffer: UInt16, _ content: [UInt8]) -> SegmentRef {
    let segment = pool.received(.small, buffer: buffer, count: content.count)
    segment.pointee.base.update(from: content, count: content.count)
    return segment
  }

  @Test func aBufferGoesBackWithItsLastSegment() {
    let before = pool.availableBuffers
    let segment = received(3, Array(0..<60))
    #expect(pool.availableBuffers == before - 1)
    let front = pool.split(segment, at: 20)
    #expect(front.pointee.count == 20 && segment.pointee.count == 40)
    #expect(segment.pointee.base[0] == 20)
    pool.release(segment)
    #expect(pool.availableBuffers == before - 1, "the front part still uses it")
    pool.release(front)
    #expect(pool.availableBuffers == before)
    #expect(pool.lentCount == 0)
  }

  @Test func randomQueueOperationsKeepTheBytes() {
    var random = FastRandom(seed: 11)
    var queue = SegmentQueue()
    var model: [UInt8] = []
    var next: UInt8 = 0
    func content(_ count: Int) -> [UInt8] {
      (0..<count).map { _ in
        next &+= 1
        return next
      }
    }
    let immortal = ByteView("immortal bytes of a snapshot")
    var free: [UInt16] = Array(0..<8)
    for _ in 0..<20_000 {
      switch random.below(6) {
      case 0 where pool.availableBuffers > 2 && !free.isEmpty:
        // The pool decides which buffers are free; take one that is.
        guard let buffer = free.popLast() else { break }
        let data = content(Int(random.below(64)) + 1)
        queue.append(received(buffer, data))
        model += data
      case 1:
        let data = content(Int(random.below(9000)) + 1)
        data.withUnsafeBufferPointer { buffer in
          if let base = buffer.baseAddress { pool.copy(ByteView(base, buffer.count), to: &queue) }
        }
        model += data
      case 2:
        queue.append(pool.borrowed(immortal))
        model += immortal.array
      case 3:
        let count = Int(random.below(200))
        pool.drop(count, from: &queue)
        model.removeFirst(min(count, model.count))
      case 4:
        let count = Int(random.below(300))
        var taken = pool.take(count, from: &queue)
        #expect(bytes(taken) == Array(model.prefix(count)))
        model.removeFirst(min(count, model.count))
        pool.releaseAll(&taken)
      default:
        let room = Int(random.below(100)) + 10
        let target = pool.reserve(room, in: &queue)
        let used = Int(random.below(UInt32(room)))
        let data = content(used)
        target.update(from: data, count: used)
        pool.unreserve(room - used, in: &queue)
        model += data
      }
      if model.count > 50_000 {
        pool.drop(model.count, from: &queue)
        model = []
      }
      if queue.isEmpty, model.isEmpty {
        pool.releaseAll(&queue)
        free = Array(0..<8)
      }
      #expect(queue.byteCount == model.count)
    }
    #expect(bytes(queue) == model)
    pool.releaseAll(&queue)
    #expect(pool.lentCount == 0)
    #expect(pool.availableBuffers == pool.totalBuffers)
  }

  @Test func aChunkIsCopiedWhenItIsSplit() {
    var queue = SegmentQueue()
    pool.copy(ByteView("hello world"), to: &queue)
    let front = pool.take(5, from: &queue)
    #expect(bytes(front) == Array("hello".utf8))
    #expect(bytes(queue) == Array(" world".utf8))
    var first = front
    pool.releaseAll(&first)
    pool.releaseAll(&queue)
    #expect(pool.lentCount == 0)
  }

  @Test func largeReservationsGetRoomOfTheirOwn() {
    var queue = SegmentQueue()
    let target = pool.reserve(100_000, in: &queue)
    target.initialize(repeating: 7, count: 100_000)
    #expect(queue.byteCount == 100_000)
    pool.releaseAll(&queue)
    #expect(pool.lentCount == 0)
  }
}
