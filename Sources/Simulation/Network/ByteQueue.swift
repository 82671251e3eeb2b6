/// Bytes in the order they came.
struct ByteQueue {
  private var bytes: [UInt8] = []
  private var head = 0

  var count: Int { bytes.count - head }
  var isEmpty: Bool { bytes.count == head }

  mutating func append(_ more: ArraySlice<UInt8>) { bytes.append(contentsOf: more) }

  mutating func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

  /// Takes up to `limit` bytes from the front.
  mutating func take(_ limit: Int) -> [UInt8] {
    let taken = Array(bytes[head..<head + min(limit, count)])
    drop(taken.count)
    return taken
  }

  /// Moves up to `limit` bytes from the front into memory; returns how many.
  mutating func take(into memory: UnsafeMutablePointer<UInt8>, _ limit: Int) -> Int {
    let taken = min(limit, count)
    bytes.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { memory.update(from: base + head, count: taken) }
    }
    drop(taken)
    return taken
  }

  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: false)
    head = 0
  }

  private mutating func drop(_ taken: Int) {
    head += taken
    if head == bytes.count {
      bytes.removeAll(keepingCapacity: true)
      head = 0
    } else if head > 65_536 {
      bytes.removeFirst(head)
      head = 0
    }
  }
}
