/// One direction of a connection: bytes on the way, bytes that arrived, and how it ends.
///
/// Order is kept: what was written first arrives first, and the end arrives after the bytes.
final class Pipe {
  /// Most bytes on the way and arrived but not read, together: the two sockets' buffers.
  let capacity: Int
  private let events: EventQueue
  private let latency: () -> UInt64
  private var onTheWay = 0
  private var lastArrival: UInt64 = 0
  private(set) var arrived = ByteQueue()
  /// All bytes that ever arrived.
  private(set) var arrivedTotal = 0
  /// The writer has ended the direction; bytes may still be on the way.
  private(set) var isWriteEnded = false
  /// The end has arrived.
  private(set) var isEnded = false
  /// The connection was reset: what has arrived can be read, nothing more comes.
  private(set) var isReset = false
  /// Nobody reads any more: bytes that arrive answer with a reset.
  var readerIsGone = false

  /// Something arrived: bytes, the end or a reset.
  var onArrival: () -> Void = {}
  /// There is more room, or the direction broke.
  var onRoom: () -> Void = {}
  /// Bytes came for a reader that is gone.
  var onUnwanted: () -> Void = {}

  init(capacity: Int, events: EventQueue, latency: @escaping () -> UInt64) {
    self.capacity = capacity
    self.events = events
    self.latency = latency
  }

  var isOnTheWay: Bool { onTheWay > 0 }

  var room: Int { max(0, capacity - onTheWay - arrived.count) }

  /// Bytes that are written and not read.
  var unreadCount: Int { onTheWay + arrived.count }

  /// The caller has looked at ``room``.
  func write(_ bytes: [UInt8]) {
    guard !bytes.isEmpty, !isReset, !isWriteEnded else { return }
    onTheWay += bytes.count
    schedule { [unowned self] in
      onTheWay -= bytes.count
      arrivedTotal += bytes.count
      if readerIsGone {
        onUnwanted()
      } else {
        arrived.append(bytes[...])
        onArrival()
      }
    }
  }

  func end() {
    guard !isWriteEnded else { return }
    isWriteEnded = true
    schedule { [unowned self] in
      isEnded = true
      onArrival()
    }
  }

  private func schedule(_ arrival: @escaping () -> Void) {
    lastArrival = max(lastArrival, events.now + latency())
    events.at(lastArrival) { [self] in
      if !isReset { arrival() }
    }
  }

  func read(_ limit: Int) -> [UInt8] {
    let bytes = arrived.take(limit)
    if !bytes.isEmpty { onRoom() }
    return bytes
  }

  func read(into memory: UnsafeMutablePointer<UInt8>, _ limit: Int) -> Int {
    let count = arrived.take(into: memory, limit)
    if count > 0 { onRoom() }
    return count
  }

  func reset() {
    guard !isReset else { return }
    isReset = true
    onTheWay = 0
    onArrival()
    onRoom()
  }

  /// Lets go of everything: the connection is over.
  func dispose() {
    onArrival = {}
    onRoom = {}
    onUnwanted = {}
    arrived.removeAll()
  }
}
