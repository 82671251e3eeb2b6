import Primitives

/// Memory for tables that are built once at configuration time and then only read: a bump
/// allocator whose owner frees everything at once. Addresses are stable, so trivial structs may
/// point into it.
public final class ConfigurationMemory: @unchecked Sendable {
  // Sendable: filled by one thread before the tables are published, read-only afterwards.
  private static let chunkSizeBytes = 64 * 1024
  private var chunks: [UnsafeMutableRawPointer] = []
  private var cursor: UnsafeMutableRawPointer?
  private var remaining = 0
  /// Bytes taken from the system.
  public private(set) var reservedBytes = 0

  public init() {}

  deinit {
    for chunk in chunks { chunk.deallocate() }
  }

  private func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
    let rounded = (byteCount + 15) & ~15
    if let cursor, rounded <= remaining {
      self.cursor = cursor + rounded
      remaining -= rounded
      return cursor
    }
    // The first chunk is small: most programs hold a few hundred bytes.
    let usual = chunks.isEmpty ? 1024 : Self.chunkSizeBytes
    let size = max(rounded, usual)
    let chunk = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    chunks.append(chunk)
    reservedBytes += size
    if size > rounded || cursor == nil {
      cursor = chunk + rounded
      remaining = size - rounded
    }
    return chunk
  }

  /// A frozen copy of trivial values.
  public func store<T: BitwiseCopyable>(_ values: [T]) -> UnsafePointer<T> {
    let target = allocate(byteCount: MemoryLayout<T>.stride * max(values.count, 1))
      .bindMemory(to: T.self, capacity: max(values.count, 1))
    values.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { target.initialize(from: base, count: source.count) }
    }
    return UnsafePointer(target)
  }

  public func store(bytes: [UInt8]) -> ByteView {
    bytes.isEmpty ? .empty : ByteView(store(bytes), bytes.count)
  }

  public func store(_ text: String) -> ByteView { store(bytes: Array(text.utf8)) }
}
