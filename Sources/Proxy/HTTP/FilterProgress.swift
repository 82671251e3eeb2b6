import Primitives
import Reactor

/// How far a message has come in one direction of a filter chain: where it is stopped, and what is
/// held there.
///
/// Several filters may have stopped at the same time (one waits with the headers, another before it
/// with the data that came later), so each has a bit and a queue of its own.
struct FilterProgress {
  /// Filters that have stopped, by bit.
  private(set) var stopped: UInt64 = 0
  /// Those of them that see nothing until they go on.
  private var stoppedAll: UInt64 = 0
  /// Where the headers wait; -1 = nowhere.
  var headersAt: Int16 = -1
  /// Where the end of the message waits (of one without trailers); -1 = nowhere.
  var endAt: Int16 = -1
  /// Where the trailers wait; -1 = nowhere.
  var trailersAt: Int16 = -1
  /// Whether the filter where the trailers wait has seen them.
  var trailersSeen = false
  /// The filter that is being called has added data or trailers to a message without them.
  private(set) var hasMade = false
  private var madeTrailers = false
  /// Body bytes held by all filters.
  private(set) var heldBytes = 0
  /// One queue a filter, when something is held.
  private var held: UnsafeMutablePointer<SegmentQueue>?

  @inline(__always)
  var isStopped: Bool { stopped != 0 }

  @inline(__always)
  func isStopped(at index: Int) -> Bool { stopped >> UInt64(index) & 1 == 1 }

  @inline(__always)
  func isStoppedForAll(at index: Int) -> Bool { stoppedAll >> UInt64(index) & 1 == 1 }

  mutating func stop(at index: Int, all: Bool = false) {
    stopped |= 1 << UInt64(index)
    if all { stoppedAll |= 1 << UInt64(index) }
  }

  mutating func noteMade(trailers: Bool) {
    hasMade = true
    if trailers { madeTrailers = true }
  }

  /// Whether the filter that was called made trailers; forgets what it made.
  mutating func takeMade() -> Bool {
    let trailers = madeTrailers
    hasMade = false
    madeTrailers = false
    return trailers
  }

  /// - Returns: Whether the filter had stopped for everything.
  mutating func resume(at index: Int) -> Bool {
    let wasAll = isStoppedForAll(at: index)
    stopped &= ~(1 << UInt64(index))
    stoppedAll &= ~(1 << UInt64(index))
    return wasAll
  }

  /// Keeps data for a filter.
  ///
  /// What lies in receive buffers is copied: those are few, all connections of the worker share
  /// them, and a piece of one byte would hold a whole one.
  mutating func hold(
    _ data: inout SegmentQueue, at index: Int, filterCount: Int,
    arena: UnsafeMutablePointer<Arena>, segments: SegmentPool
  ) {
    guard data.head != nil else { return }
    let queues: UnsafeMutablePointer<SegmentQueue>
    if let held {
      queues = held
    } else {
      queues = arena.pointee.allocate(of: SegmentQueue.self, count: filterCount)
      queues.initialize(repeating: SegmentQueue(), count: filterCount)
      held = queues
    }
    heldBytes &+= data.byteCount
    while let segment = data.removeFirst() {
      guard segment.pointee.owner == .receiveBuffer else {
        queues[index].append(segment)
        continue
      }
      var rest = ByteView(segment.pointee.base, segment.pointee.count)
      while !rest.isEmpty {
        let piece = rest.prefix(Self.pieceBytes)
        segments.copy(piece, to: &queues[index])
        rest = rest.dropFirst(piece.count)
      }
      segments.release(segment)
    }
  }

  /// Fits into one chunk, so that copies come from the pool.
  private static let pieceBytes = SegmentPool.chunkBytes - 128

  /// Bytes held for one filter.
  func heldBytes(at index: Int) -> Int { held?[index].byteCount ?? 0 }

  /// What was held for a filter; nothing is held afterwards.
  mutating func takeHeld(at index: Int) -> SegmentQueue {
    guard let held else { return SegmentQueue() }
    let data = held[index]
    held[index] = SegmentQueue()
    heldBytes &-= data.byteCount
    return data
  }

  /// Forgets everything: the message goes no further.
  mutating func clear(filterCount: Int, segments: SegmentPool) {
    if let held {
      for i in 0..<filterCount { segments.releaseAll(&held[i]) }
    }
    heldBytes = 0
    stopped = 0
    stoppedAll = 0
    headersAt = -1
    endAt = -1
    trailersAt = -1
    trailersSeen = false
    hasMade = false
    madeTrailers = false
  }
}
