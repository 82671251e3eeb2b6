/// Streams in order, linked through themselves: those that wait for a connection, or those on one.
struct StreamQueue {
  private(set) var head: HTTPStreamRef?
  private var tail: HTTPStreamRef?
  private(set) var count = 0

  mutating func append(_ stream: HTTPStreamRef) {
    stream.pointee.queueNext = nil
    stream.pointee.queuePrevious = tail
    if let tail {
      tail.pointee.queueNext = stream
    } else {
      head = stream
    }
    tail = stream
    count += 1
  }

  /// - Precondition: The stream is in this queue.
  mutating func remove(_ stream: HTTPStreamRef) {
    stream.pointee.queueNext?.pointee.queuePrevious = stream.pointee.queuePrevious
    if let previous = stream.pointee.queuePrevious {
      previous.pointee.queueNext = stream.pointee.queueNext
    } else {
      head = stream.pointee.queueNext
    }
    if tail == stream { tail = stream.pointee.queuePrevious }
    stream.pointee.queueNext = nil
    stream.pointee.queuePrevious = nil
    count -= 1
  }
}
