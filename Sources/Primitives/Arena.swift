/// Chunks of memory that arenas of one thread borrow and give back.
///
/// Steady state allocates nothing: chunks come from a free list. Not thread safe.
public final class ArenaPool {
  @usableFromInline struct Chunk {
    @usableFromInline var next: UnsafeMutablePointer<Chunk>?
    @usableFromInline var capacity: Int
  }

  /// Bytes of a usual chunk, its header included. A larger single allocation gets a chunk of its
  /// own, which goes back to the system.
  public static let chunkSizeBytes = 4096

  @usableFromInline var free: UnsafeMutablePointer<Chunk>?
  /// Chunks on the free list.
  public private(set) var freeCount = 0
  /// Chunks lent to arenas now; zero when nothing is leaked.
  public private(set) var lentCount = 0
  private let freeMax: Int

  /// - Parameter freeMax: Chunks kept for reuse; more go back to the system.
  public init(freeMax: Int = 4096) {
    self.freeMax = freeMax
  }

  deinit {
    while let chunk = free {
      free = chunk.pointee.next
      UnsafeMutableRawPointer(chunk).deallocate()
    }
  }

  @inline(never)
  @usableFromInline func take(minimumBytes: Int) -> UnsafeMutablePointer<Chunk> {
    lentCount += 1
    let header = MemoryLayout<Chunk>.stride
    let wanted = minimumBytes + header
    if wanted <= Self.chunkSizeBytes, let chunk = free {
      free = chunk.pointee.next
      freeCount -= 1
      return chunk
    }
    let size = max(wanted, Self.chunkSizeBytes)
    let raw = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    let chunk = raw.bindMemory(to: Chunk.self, capacity: 1)
    chunk.initialize(to: Chunk(next: nil, capacity: size - header))
    return chunk
  }

  @inline(never)
  @usableFromInline func give(_ first: UnsafeMutablePointer<Chunk>) {
    var next: UnsafeMutablePointer<Chunk>? = first
    let usual = Self.chunkSizeBytes - MemoryLayout<Chunk>.stride
    while let chunk = next {
      next = chunk.pointee.next
      lentCount -= 1
      if chunk.pointee.capacity == usual, freeCount < freeMax {
        chunk.pointee.next = free
        free = chunk
        freeCount += 1
      } else {
        UnsafeMutableRawPointer(chunk).deallocate()
      }
    }
  }
}

/// A bump allocator that lives as long as one stream: everything is freed at once by ``reset()``.
///
/// A trivial struct: whoever embeds it calls ``reset()`` when done, exactly once per use.
@frozen
public struct Arena {
  @usableFromInline let pool: Unmanaged<ArenaPool>
  @usableFromInline var chunks: UnsafeMutablePointer<ArenaPool.Chunk>?
  @usableFromInline var cursor: UnsafeMutablePointer<UInt8>
  @usableFromInline var remaining: Int
  /// Bytes handed out since the last reset.
  public var allocatedBytes: Int

  /// - Parameter pool: Must outlive the arena; it is not retained.
  @inlinable
  public init(pool: ArenaPool) {
    self.pool = .passUnretained(pool)
    self.chunks = nil
    self.cursor = UnsafeMutablePointer(bitPattern: 16)!  // never read: remaining is 0
    self.remaining = 0
    self.allocatedBytes = 0
  }

  /// `count` uninitialised bytes, 8-byte aligned.
  @inlinable @inline(__always)
  public mutating func allocate(_ count: Int) -> UnsafeMutablePointer<UInt8> {
    let rounded = (count &+ 7) & ~7
    if rounded > remaining { grow(rounded) }
    let result = cursor
    cursor += rounded
    remaining &-= rounded
    allocatedBytes &+= rounded
    return result
  }

  @inline(never)
  @usableFromInline mutating func grow(_ count: Int) {
    let chunk = pool._withUnsafeGuaranteedRef { $0.take(minimumBytes: count) }
    chunk.pointee.next = chunks
    chunks = chunk
    cursor = UnsafeMutableRawPointer(chunk + 1).assumingMemoryBound(to: UInt8.self)
    remaining = chunk.pointee.capacity
  }

  /// A copy of `view` that lives as long as the arena's current use.
  @inlinable
  public mutating func copy(_ view: ByteView) -> ByteView {
    guard view.count > 0 else { return .empty }
    let target = allocate(view.count)
    target.update(from: view.base, count: view.count)
    return ByteView(target, view.count)
  }

  /// Uninitialised room for `count` values of a trivial type (alignment of 8 or less).
  @inlinable
  public mutating func allocate<T>(of type: T.Type, count: Int) -> UnsafeMutablePointer<T> {
    assert(MemoryLayout<T>.alignment <= 8)
    return UnsafeMutableRawPointer(allocate(MemoryLayout<T>.stride &* count))
      .bindMemory(to: T.self, capacity: count)
  }

  /// Gives all memory back. Views into it are invalid afterwards.
  @inlinable
  public mutating func reset() {
    if let first = chunks {
      pool._withUnsafeGuaranteedRef { $0.give(first) }
      chunks = nil
    }
    remaining = 0
    allocatedBytes = 0
  }
}
