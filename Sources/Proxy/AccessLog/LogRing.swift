import Glibc
import Primitives
import Synchronization

/// Log lines on their way from one thread to the log writer: a bounded ring of bytes with one
/// producer and one consumer. A stalled disk fills it; then lines are dropped and counted, and
/// traffic does not notice.
public final class LogRing: @unchecked Sendable {
  // Sendable: one producer and one consumer, synchronised by the two counters.

  /// Bytes; a power of two.
  public let capacity: Int
  private let memory: UnsafeMutablePointer<UInt8>
  // Each counter on its own cache line.
  private let written = Atomic<UInt64>(0)
  private let padding1: InlineArray<7, UInt64> = .init(repeating: 0)
  private let taken = Atomic<UInt64>(0)
  private let padding2: InlineArray<7, UInt64> = .init(repeating: 0)
  private let dropped = Atomic<UInt64>(0)

  private static let headerBytes = 8

  public init(capacity: Int = 1 << 20) {
    precondition(capacity > 64 && capacity & (capacity - 1) == 0, "a power of two")
    self.capacity = capacity
    memory = .allocate(capacity: capacity)
  }

  deinit { memory.deallocate() }

  /// Lines that did not fit so far.
  public var droppedCount: UInt64 { dropped.load(ordering: .relaxed) }

  /// Producer: adds a line for `target`, or drops it when there is no room.
  @discardableResult
  public func write(target: UInt16, _ line: ByteView) -> Bool {
    let start = written.load(ordering: .relaxed)
    let size = (Self.headerBytes + line.count + 7) & ~7
    guard size <= capacity - Int(start &- taken.load(ordering: .acquiring)) else {
      dropped.store(dropped.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
      return false
    }
    var header = UInt64(line.count) << 16 | UInt64(target)
    withUnsafeBytes(of: &header) {
      copyIn($0.baseAddress?.assumingMemoryBound(to: UInt8.self), Self.headerBytes, at: start)
    }
    copyIn(line.base, line.count, at: start &+ UInt64(Self.headerBytes))
    written.store(start &+ UInt64(size), ordering: .releasing)
    return true
  }

  /// Consumer: calls `body` with each line that is there, in order. The bytes are in one or two
  /// runs, valid during the call.
  ///
  /// - Returns: Bytes taken out.
  @discardableResult
  public func drain(_ body: (_ target: UInt16, _ first: ByteView, _ second: ByteView) -> Void)
    -> Int
  {
    let from = taken.load(ordering: .relaxed)
    let end = written.load(ordering: .acquiring)
    var at = from
    while at < end {
      var header: UInt64 = 0
      // Lines begin at multiples of eight, so a header never wraps.
      memcpy(&header, memory + offset(at), Self.headerBytes)
      let count = Int(header >> 16)
      let start = offset(at &+ UInt64(Self.headerBytes))
      let first = min(count, capacity - start)
      body(
        UInt16(truncatingIfNeeded: header), ByteView(memory + start, first),
        ByteView(memory, count - first))
      at &+= UInt64((Self.headerBytes + count + 7) & ~7)
      taken.store(at, ordering: .releasing)
    }
    return Int(end &- from)
  }

  private func offset(_ position: UInt64) -> Int { Int(position & UInt64(capacity - 1)) }

  private func copyIn(_ source: UnsafePointer<UInt8>?, _ count: Int, at position: UInt64) {
    guard let source, count > 0 else { return }
    let start = offset(position)
    let first = min(count, capacity - start)
    memcpy(memory + start, source, first)
    if first < count { memcpy(memory, source + first, count - first) }
  }
}
