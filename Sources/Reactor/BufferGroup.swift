internal import CURing
internal import Glibc

/// A ring of receive buffers that the kernel picks from when data is there, so that an idle
/// connection holds none. Buffers are counted: a body's segments may share one.
struct BufferGroup: ~Copyable {
  let id: UInt16
  let bufferSizeBytes: Int
  let count: Int
  private let ring: UnsafeMutablePointer<io_uring_buf_ring>
  private let ringBytes: Int
  private let memory: UnsafeMutablePointer<UInt8>
  private let references: UnsafeMutablePointer<UInt16>
  /// Buffers that the kernel has now.
  private(set) var available: Int

  /// - Parameter count: A power of two, at most 32,768.
  init(kernel: Kernel, id: UInt16, count: Int, bufferSizeBytes: Int) throws(RingError) {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    let ringBytes = count * MemoryLayout<io_uring_buf>.stride
    let failed = UnsafeMutableRawPointer(bitPattern: -1)
    guard
      let ringMemory = mmap(nil, ringBytes, PROT_READ | PROT_WRITE, flags, -1, 0),
      ringMemory != failed
    else { throw RingError(errno: ENOMEM) }
    guard
      let buffers = mmap(nil, count * bufferSizeBytes, PROT_READ | PROT_WRITE, flags, -1, 0),
      buffers != failed
    else {
      munmap(ringMemory, ringBytes)
      throw RingError(errno: ENOMEM)
    }
    let code = kernel.registerBuffers(ring: ringMemory, count: count, group: id)
    guard code == 0 else {
      munmap(ringMemory, ringBytes)
      munmap(buffers, count * bufferSizeBytes)
      throw RingError(errno: -code)
    }
    self.id = id
    self.count = count
    self.bufferSizeBytes = bufferSizeBytes
    self.ringBytes = ringBytes
    ring = ringMemory.bindMemory(to: io_uring_buf_ring.self, capacity: 1)
    memory = buffers.bindMemory(to: UInt8.self, capacity: count * bufferSizeBytes)
    references = .allocate(capacity: count)
    references.initialize(repeating: 0, count: count)
    available = 0
    for buffer in 0..<count { give(UInt16(buffer)) }
  }

  deinit {
    // The kernel has let go: the ring is closed before its buffers.
    munmap(ring, ringBytes)
    munmap(memory, count * bufferSizeBytes)
    references.deallocate()
  }

  private mutating func give(_ buffer: UInt16) {
    curing_buf_ring_add(
      ring, memory + Int(buffer) * bufferSizeBytes, UInt32(bufferSizeBytes), buffer,
      Int32(count - 1), 0)
    curing_buf_ring_advance(ring, 1)
    available &+= 1
  }

  /// The kernel filled this buffer: it is ours, with one reference.
  mutating func taken(_ buffer: UInt16) -> UnsafeMutablePointer<UInt8> {
    precondition(Int(buffer) < count && references[Int(buffer)] == 0, "buffer taken twice")
    references[Int(buffer)] = 1
    available &-= 1
    return memory + Int(buffer) * bufferSizeBytes
  }

  mutating func retain(_ buffer: UInt16) {
    precondition(references[Int(buffer)] > 0, "buffer is not ours")
    references[Int(buffer)] += 1
  }

  /// Returns true when the buffer went back to the kernel.
  mutating func release(_ buffer: UInt16) -> Bool {
    precondition(references[Int(buffer)] > 0, "buffer given back twice")
    references[Int(buffer)] -= 1
    guard references[Int(buffer)] == 0 else { return false }
    give(buffer)
    return true
  }
}
