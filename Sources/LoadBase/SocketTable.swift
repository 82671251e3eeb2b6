import Reactor

/// All sockets of a loop by slot. Memory grows with the largest number open at once and is kept.
struct SocketTable: ~Copyable {
  private static let perChunk = 256
  private static let chunksMax = 4096

  private let chunks: UnsafeMutablePointer<SocketRef>
  private var chunkCount = 0
  private var firstFree: SocketRef?
  private(set) var liveCount = 0

  init() { chunks = .allocate(capacity: Self.chunksMax) }

  deinit {
    for index in 0..<chunkCount { chunks[index].deallocate() }
    chunks.deallocate()
  }

  /// The socket that a token means, or nil when it is gone.
  @inline(__always)
  func find(_ token: Token) -> SocketRef? {
    let chunk = Int(token.slot) / Self.perChunk
    guard chunk < chunkCount else { return nil }
    let socket = chunks[chunk] + Int(token.slot) % Self.perChunk
    return socket.pointee.generation & 0xFF_FFFF == token.generation ? socket : nil
  }

  /// A fresh socket without a descriptor, or nil when a million are open.
  mutating func allocate() -> SocketRef? {
    if firstFree == nil { addChunk() }
    guard let socket = firstFree else { return nil }
    firstFree = socket.pointee.nextFree
    liveCount += 1
    let generation = socket.pointee.generation
    socket.initialize(to: LoopSocket(slot: socket.pointee.slot, address: socket))
    socket.pointee.generation = generation
    return socket
  }

  private mutating func addChunk() {
    guard chunkCount < Self.chunksMax else { return }
    let sockets = SocketRef.allocate(capacity: Self.perChunk)
    for index in stride(from: Self.perChunk - 1, through: 0, by: -1) {
      let socket = sockets + index
      socket.initialize(
        to: LoopSocket(slot: UInt32(chunkCount * Self.perChunk + index), address: socket))
      socket.pointee.nextFree = firstFree
      firstFree = socket
    }
    chunks[chunkCount] = sockets
    chunkCount += 1
  }

  mutating func free(_ socket: SocketRef) {
    socket.pointee.generation &+= 1
    socket.pointee.nextFree = firstFree
    firstFree = socket
    liveCount -= 1
  }
}
