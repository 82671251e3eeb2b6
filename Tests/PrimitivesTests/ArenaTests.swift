import Testing

@testable import Primitives

@Suite struct ArenaTests {
  @Test func memoryIsDistinctAndAligned() {
    let pool = ArenaPool()
    var arena = Arena(pool: pool)
    var pieces: [(UnsafeMutablePointer<UInt8>, Int)] = []
    for i in 0..<2000 {
      let size = i % 97
      let piece = arena.allocate(size)
      #expect(UInt(bitPattern: piece) % 8 == 0)
      piece.initialize(repeating: UInt8(truncatingIfNeeded: i), count: size)
      pieces.append((piece, size))
    }
    for (i, (piece, size)) in pieces.enumerated() {
      #expect((0..<size).allSatisfy { piece[$0] == UInt8(truncatingIfNeeded: i) })
    }
    arena.reset()
    #expect(pool.lentCount == 0)
  }

  @Test func chunksAreReused() {
    let pool = ArenaPool()
    var arena = Arena(pool: pool)
    for _ in 0..<10 {
      _ = arena.allocate(3000)
      _ = arena.allocate(3000)
      #expect(arena.allocatedBytes == 6000)
      #expect(pool.lentCount == 2)
      arena.reset()
      #expect(arena.allocatedBytes == 0)
    }
    #expect(pool.freeCount == 2)
  }

  @Test func largeAllocationsAreNotKept() {
    let pool = ArenaPool()
    var arena = Arena(pool: pool)
    let large = arena.allocate(100_000)
    large.initialize(repeating: 1, count: 100_000)
    #expect(pool.lentCount == 1)
    arena.reset()
    #expect(pool.lentCount == 0)
    #expect(pool.freeCount == 0)
  }

  @Test func theFreeListIsBounded() {
    let pool = ArenaPool(freeMax: 3)
    var arena = Arena(pool: pool)
    for _ in 0..<10 { _ = arena.allocate(4000) }
    arena.reset()
    #expect(pool.freeCount == 3)
    #expect(pool.lentCount == 0)
  }

  @Test func copies() {
    let pool = ArenaPool()
    var arena = Arena(pool: pool)
    let copy = withView("some text") { arena.copy($0) }
    #expect(copy == "some text")
    let empty = arena.copy(.empty)
    #expect(empty.isEmpty)
    let numbers = arena.allocate(of: UInt64.self, count: 4)
    for i in 0..<4 { (numbers + i).initialize(to: UInt64(i)) }
    #expect((0..<4).allSatisfy { numbers[$0] == UInt64($0) })
    arena.reset()
  }
}
