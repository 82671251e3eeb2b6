import Glibc
import Synchronization

/// Why a registry could not be made.
public struct StatsMemoryError: Error, Equatable, CustomStringConvertible {
  public let errno: Int32
  public let requestedBytes: Int
  public var description: String {
    "cannot reserve \(requestedBytes) bytes of address space for statistics: errno \(errno)"
  }
}

/// One reserved range of zeroed memory. Pages cost nothing until they are written, and nothing ever moves.
final class SlabMemory: @unchecked Sendable {
  let slab: StatsSlab
  let cellCount: Int
  private let base: UnsafeMutableRawPointer
  private let byteCount: Int

  init(byteCount: Int) throws(StatsMemoryError) {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let base = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0),
      base != UnsafeMutableRawPointer(bitPattern: -1)
    else { throw StatsMemoryError(errno: errno, requestedBytes: byteCount) }
    // Cells are touched sparsely: a huge page for every histogram would be mostly zeroes. An older kernel may
    // refuse the advice, which costs only memory.
    _ = madvise(base, byteCount, MADV_NOHUGEPAGE)
    self.base = base
    self.byteCount = byteCount
    cellCount = byteCount / MemoryLayout<UInt64>.stride
    slab = StatsSlab(base: base.bindMemory(to: Atomic<UInt64>.self, capacity: cellCount))
  }

  deinit { munmap(base, byteCount) }
}
