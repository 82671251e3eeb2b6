import Primitives

/// Text put together in a stream's arena.
struct ArenaText {
  private let base: UnsafeMutablePointer<UInt8>
  private let capacity: Int
  private var count = 0

  init(_ stream: HTTPStreamRef, capacity: Int) {
    base = stream.pointee.arena.allocate(max(1, capacity))
    self.capacity = capacity
  }

  /// Appends what fits.
  mutating func put(_ bytes: ByteView, replacingSpaces: Bool = false) {
    let taken = min(bytes.count, capacity - count)
    for i in 0..<taken {
      base[count + i] = replacingSpaces && bytes[i] == 32 ? 95 : bytes[i]
    }
    count += taken
  }

  var view: ByteView { ByteView(base, count) }
}
