/// A run of bytes on its way through the proxy, and who owns the memory under it.
///
/// Bodies move as segments from queue to queue; the bytes stay where they were received. Trivial:
/// ``SegmentPool`` makes and takes back every segment exactly once.
public struct Segment {
  public enum Owner: UInt8 {
    /// A provided buffer of one of the receive groups; counted, several segments may share it.
    case receiveBuffer
    /// Room after the segment's own header; text written by the proxy.
    case chunk
    /// Memory that lives longer than the segment: a snapshot, a stream that waits for the send.
    case borrowed
  }

  public var next: UnsafeMutablePointer<Segment>?
  /// First byte not yet consumed.
  public var base: UnsafeMutablePointer<UInt8>
  /// Bytes left.
  public var count: Int
  /// Writable room after the last byte (chunks only).
  public var room: Int
  public let owner: Owner
  let group: UInt8
  let bufferID: UInt16
}

public typealias SegmentRef = UnsafeMutablePointer<Segment>

/// A first-in, first-out list of segments. Trivial: moving it moves the list.
public struct SegmentQueue {
  public internal(set) var head: SegmentRef?
  public internal(set) var tail: SegmentRef?
  public internal(set) var byteCount = 0

  public init() {}

  @inlinable @inline(__always)
  public var isEmpty: Bool { byteCount == 0 }

  public mutating func append(_ segment: SegmentRef) {
    segment.pointee.next = nil
    if let last = tail { last.pointee.next = segment } else { head = segment }
    tail = segment
    byteCount &+= segment.pointee.count
  }

  public mutating func prepend(_ segment: SegmentRef) {
    segment.pointee.next = head
    head = segment
    if tail == nil { tail = segment }
    byteCount &+= segment.pointee.count
  }

  /// Moves everything from `other` to the end.
  public mutating func append(_ other: inout SegmentQueue) {
    guard let first = other.head else { return }
    if let last = tail { last.pointee.next = first } else { head = first }
    tail = other.tail
    byteCount &+= other.byteCount
    other = SegmentQueue()
  }

  /// Takes the first segment out.
  public mutating func removeFirst() -> SegmentRef? {
    guard let first = head else { return nil }
    head = first.pointee.next
    if head == nil { tail = nil }
    byteCount &-= first.pointee.count
    first.pointee.next = nil
    return first
  }

  /// Skips `count` bytes of the first segment, which has at least as many.
  public mutating func consumeFromFirst(_ count: Int) {
    guard let first = head else { return }
    first.pointee.base += count
    first.pointee.count &-= count
    byteCount &-= count
  }
}
