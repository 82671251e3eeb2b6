import Primitives
import Reactor

/// Counts the messages of a stream as they begin, whatever pieces it comes in. Trivial.
struct GRPCFrameCounter {
  private(set) var count: UInt64 = 0
  /// Bytes of the current message that are still to come.
  private var bodyLeft: UInt32 = 0
  private var length: UInt32 = 0
  /// Bytes of the current head that have come.
  private var headBytes: UInt8 = 0

  /// - Returns: How many messages begin in the data.
  mutating func add(_ data: SegmentQueue) -> UInt64 {
    let before = count
    var next = data.head
    while let segment = next {
      add(ByteView(segment.pointee.base, segment.pointee.count))
      next = segment.pointee.next
    }
    return count &- before
  }

  mutating func add(_ bytes: ByteView) {
    var at = 0
    while at < bytes.count {
      if bodyLeft > 0 {
        let step = min(Int(bodyLeft), bytes.count - at)
        bodyLeft &-= UInt32(truncatingIfNeeded: step)
        at += step
        continue
      }
      if headBytes == 0 {
        count &+= 1
        length = 0
      } else {
        length = length << 8 | UInt32(bytes[at])
      }
      headBytes &+= 1
      at += 1
      if headBytes == 5 {
        headBytes = 0
        bodyLeft = length
      }
    }
  }
}
