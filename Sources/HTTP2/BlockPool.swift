#if canImport(Glibc)
  import Glibc
#endif

/// Memory for the library: blocks up to 1,024 bytes come from free lists, in steps of 64 bytes.
///
/// Each block has its size in the eight bytes before it. A trivial struct at a fixed address.
struct BlockPool {
  private struct Free { var next: UnsafeMutablePointer<Free>? }

  private static let prefixBytes = 8
  private static let stepBytes = 64
  private static let classCount = 17
  /// Bytes kept on the free lists; more go back to the system.
  private static let freeBytesMax = 8 << 20

  private let lists: UnsafeMutablePointer<UnsafeMutablePointer<Free>?>
  private var freeBytes = 0
  /// Bytes lent now, prefixes and rounding included.
  private(set) var heldBytes = 0
  /// Blocks that were asked of the system, for tests.
  private(set) var systemCount = 0

  /// Every session packs its frames here: a block is in use from one packing to the next call only,
  /// and sessions of a thread take turns.
  private let frameBuffer: UnsafeMutableRawPointer
  private static let frameBufferBytes = 17 * 1024
  /// The next block as large as a frame is answered with `frameBuffer`: a session is being made.
  var lendsFrameBuffer = false

  init() {
    lists = .allocate(capacity: Self.classCount)
    lists.initialize(repeating: nil, count: Self.classCount)
    frameBuffer = .allocate(byteCount: Self.frameBufferBytes, alignment: 16)
  }

  func destroy() {
    for i in 0..<Self.classCount {
      var next = lists[i]
      while let block = next {
        next = block.pointee.next
        UnsafeMutableRawPointer(block).deallocate()
      }
    }
    lists.deallocate()
    frameBuffer.deallocate()
  }

  mutating func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
    if lendsFrameBuffer, size >= 16_000, size <= Self.frameBufferBytes {
      lendsFrameBuffer = false
      return frameBuffer
    }
    let (wanted, overflow) = size.addingReportingOverflow(Self.prefixBytes + Self.stepBytes - 1)
    if overflow { return nil }
    let total = wanted & ~(Self.stepBytes - 1)
    let index = total / Self.stepBytes
    let raw: UnsafeMutableRawPointer
    if index < Self.classCount, let block = lists[index] {
      lists[index] = block.pointee.next
      freeBytes -= total
      raw = UnsafeMutableRawPointer(block)
    } else {
      guard let fresh = malloc(total) else { return nil }
      systemCount &+= 1
      raw = fresh
    }
    heldBytes += total
    raw.storeBytes(of: size, as: Int.self)
    return raw + Self.prefixBytes
  }

  mutating func free(_ pointer: UnsafeMutableRawPointer?) {
    guard let pointer, pointer != frameBuffer else { return }
    let raw = pointer - Self.prefixBytes
    let total = Self.total(raw.load(as: Int.self))
    heldBytes -= total
    let index = total / Self.stepBytes
    if index < Self.classCount, freeBytes + total <= Self.freeBytesMax {
      let block = raw.bindMemory(to: Free.self, capacity: 1)
      block.initialize(to: Free(next: lists[index]))
      lists[index] = block
      freeBytes += total
    } else {
      Glibc.free(raw)
    }
  }

  mutating func zeroed(_ count: Int, _ size: Int) -> UnsafeMutableRawPointer? {
    let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
    guard !overflow, let pointer = allocate(bytes) else { return nil }
    memset(pointer, 0, bytes)
    return pointer
  }

  mutating func resize(
    _ pointer: UnsafeMutableRawPointer?, _ size: Int
  ) -> UnsafeMutableRawPointer? {
    guard let pointer else { return allocate(size) }
    let isFrameBuffer = pointer == frameBuffer
    let raw = pointer - Self.prefixBytes
    let old = isFrameBuffer ? Self.frameBufferBytes : raw.load(as: Int.self)
    if !isFrameBuffer, size > 0, size < Int.max / 2, Self.total(old) == Self.total(size) {
      raw.storeBytes(of: size, as: Int.self)
      return pointer
    }
    guard let fresh = allocate(size) else { return nil }
    fresh.copyMemory(from: pointer, byteCount: min(old, size))
    free(pointer)
    return fresh
  }

  private static func total(_ size: Int) -> Int {
    (size + prefixBytes + stepBytes - 1) & ~(stepBytes - 1)
  }
}
