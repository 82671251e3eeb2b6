import Primitives

/// The bytes in memory of exactly their size, so that a tool that watches memory sees every read
/// beyond them.
package func withExactCopy<R>(_ bytes: some Collection<UInt8>, _ body: (ByteView) -> R) -> R {
  let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, bytes.count))
  defer { copy.deallocate() }
  _ = copy.update(from: bytes)
  guard let base = copy.baseAddress else { return body(.empty) }
  return body(ByteView(base, bytes.count))
}

/// Runs `body` with an arena that is checked for leaks.
package func withArena<R>(_ body: (UnsafeMutablePointer<Arena>) -> R) -> R {
  let pool = ArenaPool()
  return withExtendedLifetime(pool) {
    let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
    arena.initialize(to: Arena(pool: pool))
    defer {
      arena.pointee.reset()
      precondition(pool.lentCount == 0)
      arena.deallocate()
    }
    return body(arena)
  }
}
