/// Streams that wait for a connection, oldest first, linked through themselves.
struct PendingQueue {
  private(set) var head: HTTPStreamRef?
  private var tail: HTTPStreamRef?
  private(set) var count = 0

  mutating func append(_ stream: HTTPStreamRef) {
    stream.pointee.pendingNext = nil
    stream.pointee.pendingPrevious = tail
    if let tail {
      tail.pointee.pendingNext = stream
    } else {
      head = stream
    }
    tail = stream
    count += 1
  }

  /// - Precondition: The stream is in this queue.
  mutating func remove(_ stream: HTTPStreamRef) {
    stream.pointee.pendingNext?.pointee.pendingPrevious = stream.pointee.pendingPrevious
    if let previous = stream.pointee.pendingPrevious {
      previous.pointee.pendingNext = stream.pointee.pendingNext
    } else {
      head = stream.pointee.pendingNext
    }
    if tail == stream { tail = stream.pointee.pendingPrevious }
    stream.pointee.pendingNext = nil
    stream.pointee.pendingPrevious = nil
    count -= 1
  }
}
