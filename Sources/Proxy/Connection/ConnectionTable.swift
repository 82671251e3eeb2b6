import Glibc
import Reactor

/// All connections of a worker by slot. Chunks of connections come and go with the load; a
/// connection never moves.
struct ConnectionTable: ~Copyable {
  private static let perChunk = 128
  private static let chunksMax = 16_384

  private struct Chunk {
    var connections: UnsafeMutablePointer<Connection>
    var live: Int
    var firstFree: ConnectionRef?
  }

  private let chunks: UnsafeMutablePointer<Chunk?>
  private var chunkCount = 0
  /// Generations outlive their chunk, so that a slot never sees one twice.
  private let generations: UnsafeMutablePointer<UInt32>
  /// Chunks that may have a free slot, best last.
  private var candidates: [Int] = []
  private(set) var liveCount = 0

  init() {
    chunks = .allocate(capacity: Self.chunksMax)
    chunks.initialize(repeating: nil, count: Self.chunksMax)
    generations = .allocate(capacity: Self.chunksMax)
    generations.initialize(repeating: 0, count: Self.chunksMax)
  }

  deinit {
    for i in 0..<chunkCount { if let chunk = chunks[i] { Self.unmap(chunk.connections) } }
    chunks.deallocate()
    generations.deallocate()
  }

  // Chunks are mapped, so that the memory of connections that are gone goes back at once.
  private static let chunkBytes = perChunk * MemoryLayout<Connection>.stride

  private static func map() -> ConnectionRef? {
    let memory = mmap(
      nil, chunkBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != UnsafeMutableRawPointer(bitPattern: -1) else { return nil }
    return memory.bindMemory(to: Connection.self, capacity: perChunk)
  }

  private static func unmap(_ connections: ConnectionRef) { munmap(connections, chunkBytes) }

  /// The connection that a token means, or nil when it is gone.
  @inline(__always)
  func find(_ token: Token) -> ConnectionRef? {
    let chunk = Int(token.slot) / Self.perChunk
    guard chunk < chunkCount, let found = chunks[chunk] else { return nil }
    let connection = found.connections + Int(token.slot) % Self.perChunk
    guard connection.pointee.generation & 0xFF_FFFF == token.generation,
      connection.pointee.role != .free
    else { return nil }
    return connection
  }

  /// A fresh connection, or nil when two million are open.
  mutating func allocate() -> ConnectionRef? {
    while let index = candidates.last {
      if var chunk = chunks[index], let connection = chunk.firstFree {
        chunk.firstFree = connection.pointee.next
        chunk.live += 1
        chunks[index] = chunk
        liveCount += 1
        let generation = connection.pointee.generation
        connection.initialize(to: Connection(slot: connection.pointee.slot, owner: connection))
        connection.pointee.generation = generation
        return connection
      }
      candidates.removeLast()
    }
    guard addChunk() else { return nil }
    return allocate()
  }

  private mutating func addChunk() -> Bool {
    var index = 0
    while index < chunkCount, chunks[index] != nil { index += 1 }
    guard index < Self.chunksMax else { return false }
    guard let connections = Self.map() else { return false }
    var firstFree: ConnectionRef?
    for i in stride(from: Self.perChunk - 1, through: 0, by: -1) {
      let connection = connections + i
      connection.initialize(
        to: Connection(slot: UInt32(index * Self.perChunk + i), owner: connection))
      connection.pointee.generation = generations[index]
      connection.pointee.next = firstFree
      firstFree = connection
    }
    chunks[index] = Chunk(connections: connections, live: 0, firstFree: firstFree)
    chunkCount = max(chunkCount, index + 1)
    candidates.append(index)
    return true
  }

  mutating func free(_ connection: ConnectionRef) {
    let index = Int(connection.pointee.slot) / Self.perChunk
    guard var chunk = chunks[index] else { return }
    connection.pointee.role = .free
    connection.pointee.generation &+= 1
    generations[index] = max(generations[index], connection.pointee.generation)
    if chunk.firstFree == nil { candidates.append(index) }
    connection.pointee.next = chunk.firstFree
    chunk.firstFree = connection
    chunk.live -= 1
    liveCount -= 1
    chunks[index] = chunk
    if chunk.live == 0, index != candidates.last {
      // Empty, and there is room elsewhere: give the memory back.
      candidates.removeAll { $0 == index }
      Self.unmap(chunk.connections)
      chunks[index] = nil
    }
  }

  /// Calls `body` for every live connection. `body` must not allocate or free connections.
  func forEach(_ body: (ConnectionRef) -> Void) {
    for index in 0..<chunkCount {
      guard let chunk = chunks[index] else { continue }
      for i in 0..<Self.perChunk where chunk.connections[i].role != .free {
        body(chunk.connections + i)
      }
    }
  }
}
