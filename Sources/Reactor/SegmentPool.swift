public import Primitives

/// All byte memory of one worker: receive buffers, chunks for what the proxy writes, and the
/// segments that point into them. Steady state allocates nothing.
public final class SegmentPool {
  /// Bytes of a chunk with its segment header.
  public static let chunkBytes = 4096
  static let chunkRoom = chunkBytes - MemoryLayout<Segment>.stride

  private var freeSegments: SegmentRef?
  private var freeChunks: SegmentRef?
  private var freeChunkCount = 0
  private let freeChunksMax: Int
  private var small: BufferGroup
  private var large: BufferGroup
  /// Segments and chunks in use; zero when nothing is leaked.
  public private(set) var lentCount = 0
  /// Set when a buffer comes back to a group that had run dry.
  public var hasReturnedBuffers = false

  public struct Sizes: Sendable {
    public var smallCount = 256
    public var smallBytes = 16 * 1024
    public var largeCount = 16
    public var largeBytes = 128 * 1024
    public init() {}
  }

  public enum Group: UInt8 { case small = 0, large = 1 }

  public init(kernel: Kernel, sizes: Sizes = Sizes()) throws(RingError) {
    small = try BufferGroup(
      kernel: kernel, id: 0, count: sizes.smallCount, bufferSizeBytes: sizes.smallBytes)
    large = try BufferGroup(
      kernel: kernel, id: 1, count: sizes.largeCount, bufferSizeBytes: sizes.largeBytes)
    freeChunksMax = 1024
  }

  deinit {
    while let segment = freeSegments {
      freeSegments = segment.pointee.next
      segment.deallocate()
    }
    while let chunk = freeChunks {
      freeChunks = chunk.pointee.next
      UnsafeMutableRawPointer(chunk).deallocate()
    }
  }

  /// Receive buffers that the kernel has now.
  public var availableBuffers: Int { small.available + large.available }
  public var totalBuffers: Int { small.count + large.count }

  /// The same for one group.
  public func availableBuffers(_ group: Group) -> Int {
    group == .small ? small.available : large.available
  }

  public func bufferSize(_ group: Group) -> Int {
    group == .small ? small.bufferSizeBytes : large.bufferSizeBytes
  }

  // MARK: Segments

  private func makeSegment(_ value: Segment) -> SegmentRef {
    lentCount &+= 1
    if let segment = freeSegments {
      freeSegments = segment.pointee.next
      segment.initialize(to: value)
      return segment
    }
    let segment = SegmentRef.allocate(capacity: 1)
    segment.initialize(to: value)
    return segment
  }

  /// The bytes of a receive completion.
  public func received(_ group: Group, buffer: UInt16, count: Int) -> SegmentRef {
    let base = group == .small ? small.taken(buffer) : large.taken(buffer)
    return makeSegment(
      Segment(
        next: nil, base: base, count: count, room: 0, owner: .receiveBuffer,
        group: group.rawValue, bufferID: buffer))
  }

  /// Gives a buffer straight back that came with no bytes in it.
  public func returnUnused(_ group: Group, buffer: UInt16) {
    release(received(group, buffer: buffer, count: 0))
  }

  /// A segment over memory that outlives it.
  public func borrowed(_ view: ByteView) -> SegmentRef {
    makeSegment(
      Segment(
        next: nil, base: UnsafeMutablePointer(mutating: view.base), count: view.count, room: 0,
        owner: .borrowed, group: 0, bufferID: 0))
  }

  /// An empty chunk with room for at least `minimumBytes`.
  public func chunk(minimumBytes: Int = 1) -> SegmentRef {
    lentCount &+= 1
    let header = MemoryLayout<Segment>.stride
    let chunk: SegmentRef
    var room = Self.chunkRoom
    if minimumBytes <= room, let free = freeChunks {
      freeChunks = free.pointee.next
      freeChunkCount &-= 1
      chunk = free
    } else {
      room = max(minimumBytes, room)
      chunk = UnsafeMutableRawPointer.allocate(byteCount: room + header, alignment: 16)
        .bindMemory(to: Segment.self, capacity: 1)
    }
    let base = (UnsafeMutableRawPointer(chunk) + header).assumingMemoryBound(to: UInt8.self)
    chunk.initialize(
      to: Segment(
        next: nil, base: base, count: 0, room: room, owner: .chunk,
        group: room == Self.chunkRoom ? 0 : 1, bufferID: 0))
    return chunk
  }

  /// The first `count` bytes of `segment` as a segment of their own; `segment` keeps the rest.
  /// Receive buffers are shared, chunks are copied, borrowed memory is borrowed again.
  public func split(_ segment: SegmentRef, at count: Int) -> SegmentRef {
    precondition(count > 0 && count < segment.pointee.count, "split outside the segment")
    let front: SegmentRef
    switch segment.pointee.owner {
    case .receiveBuffer:
      if segment.pointee.group == Group.small.rawValue {
        small.retain(segment.pointee.bufferID)
      } else {
        large.retain(segment.pointee.bufferID)
      }
      var value = segment.pointee
      value.next = nil
      value.count = count
      front = makeSegment(value)
    case .borrowed:
      front = borrowed(ByteView(segment.pointee.base, count))
    case .chunk:
      front = chunk(minimumBytes: count)
      front.pointee.base.update(from: segment.pointee.base, count: count)
      front.pointee.count = count
      front.pointee.room -= count
    }
    segment.pointee.base += count
    segment.pointee.count -= count
    return front
  }

  public func release(_ segment: SegmentRef) {
    lentCount &-= 1
    switch segment.pointee.owner {
    case .receiveBuffer:
      let returned: Bool
      if segment.pointee.group == Group.small.rawValue {
        returned = small.release(segment.pointee.bufferID)
      } else {
        returned = large.release(segment.pointee.bufferID)
      }
      if returned { hasReturnedBuffers = true }
      keep(segment)
    case .borrowed:
      keep(segment)
    case .chunk:
      if segment.pointee.group == 0, freeChunkCount < freeChunksMax {
        segment.pointee.next = freeChunks
        freeChunks = segment
        freeChunkCount &+= 1
      } else {
        UnsafeMutableRawPointer(segment).deallocate()
      }
    }
  }

  private func keep(_ segment: SegmentRef) {
    segment.pointee.next = freeSegments
    freeSegments = segment
  }

  public func releaseAll(_ queue: inout SegmentQueue) {
    while let segment = queue.removeFirst() { release(segment) }
  }

  /// Cuts the last `count` bytes off; they lie in the last segment.
  public func trimLast(_ count: Int, of queue: inout SegmentQueue) {
    guard count > 0, let last = queue.tail else { return }
    assert(last.pointee.count >= count)
    last.pointee.count &-= count
    last.pointee.room = 0
    queue.byteCount &-= count
    if last.pointee.count > 0 { return }
    // Nobody expects an empty segment.
    var kept = SegmentQueue()
    while let segment = queue.removeFirst() {
      if segment == last { release(segment) } else { kept.append(segment) }
    }
    queue = kept
  }

  // MARK: Waiting

  /// Moves a segment to the end of a queue where it may wait for a slow peer.
  ///
  /// Receive buffers are few and all connections of the worker share them: while less than a quarter
  /// of the segment's group is left, its bytes are copied, so that peers that do not read can never
  /// hold all of them.
  public func park(_ segment: SegmentRef, in queue: inout SegmentQueue) {
    guard isScarce(segment) else {
      queue.append(segment)
      return
    }
    copy(ByteView(segment.pointee.base, segment.pointee.count), to: &queue)
    release(segment)
  }

  /// The same for a whole queue.
  public func park(_ data: inout SegmentQueue, in queue: inout SegmentQueue) {
    while let segment = data.removeFirst() { park(segment, in: &queue) }
  }

  /// The same for what is put back at the front of a queue.
  public func parkFirst(_ segment: SegmentRef, in queue: inout SegmentQueue) {
    guard isScarce(segment) else {
      queue.prepend(segment)
      return
    }
    let count = segment.pointee.count
    let copied = chunk(minimumBytes: count)
    copied.pointee.base.update(from: segment.pointee.base, count: count)
    copied.pointee.count = count
    copied.pointee.room &-= count
    release(segment)
    queue.prepend(copied)
  }

  @inline(__always)
  private func isScarce(_ segment: SegmentRef) -> Bool {
    guard segment.pointee.owner == .receiveBuffer else { return false }
    return segment.pointee.group == Group.small.rawValue
      ? small.available &* 4 < small.count : large.available &* 4 < large.count
  }

  // MARK: Writing

  /// A place for `count` bytes at the end of `queue`; the caller fills all of them.
  public func reserve(_ count: Int, in queue: inout SegmentQueue) -> UnsafeMutablePointer<UInt8> {
    let segment: SegmentRef
    if let tail = queue.tail, tail.pointee.room >= count {
      segment = tail
    } else {
      segment = chunk(minimumBytes: count)
      queue.append(segment)
    }
    let target = segment.pointee.base + segment.pointee.count
    segment.pointee.count &+= count
    segment.pointee.room &-= count
    queue.byteCount &+= count
    return target
  }

  /// Gives back the last `count` bytes of the latest ``reserve(_:in:)``, which were not needed.
  public func unreserve(_ count: Int, in queue: inout SegmentQueue) {
    guard let tail = queue.tail else { return }
    tail.pointee.count &-= count
    tail.pointee.room &+= count
    queue.byteCount &-= count
  }

  /// Copies bytes to the end of `queue`.
  public func copy(_ view: ByteView, to queue: inout SegmentQueue) {
    var rest = view
    if let tail = queue.tail, tail.pointee.room > 0, tail.pointee.room < rest.count {
      let part = rest.prefix(tail.pointee.room)
      reserve(part.count, in: &queue).update(from: part.base, count: part.count)
      rest = rest.dropFirst(part.count)
    }
    guard rest.count > 0 else { return }
    reserve(rest.count, in: &queue).update(from: rest.base, count: rest.count)
  }

  /// Takes up to `count` bytes from the front of `queue` as a queue of their own.
  public func take(_ count: Int, from queue: inout SegmentQueue) -> SegmentQueue {
    var taken = SegmentQueue()
    var left = count
    while left > 0, let first = queue.head {
      if first.pointee.count <= left {
        left -= first.pointee.count
        if let segment = queue.removeFirst() { taken.append(segment) }
      } else {
        let front = split(first, at: left)
        queue.byteCount &-= left
        taken.append(front)
        left = 0
      }
    }
    return taken
  }

  /// Drops `count` bytes from the front of `queue`.
  public func drop(_ count: Int, from queue: inout SegmentQueue) {
    var left = count
    while left > 0, let first = queue.head {
      if first.pointee.count <= left {
        left -= first.pointee.count
        if let segment = queue.removeFirst() { release(segment) }
      } else {
        queue.consumeFromFirst(left)
        left = 0
      }
    }
  }
}
