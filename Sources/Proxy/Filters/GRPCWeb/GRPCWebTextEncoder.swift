import Primitives
import Reactor

/// Bytes that come in pieces, to Base64: each message with its head is a text of its own, padding included. Nothing but the
/// one or two bytes of an unfinished triple is held back. Trivial.
package struct GRPCWebTextEncoder {
  private var carry: (UInt8, UInt8) = (0, 0)
  private var carried = 0
  // Where in a message the next byte is.
  private var headBytes = 0
  private var length: UInt32 = 0
  private var bodyLeft: UInt32 = 0

  package init() {}

  package mutating func encode(_ data: inout SegmentQueue, endsStream: Bool, _ segments: SegmentPool) {
    var encoded = SegmentQueue()
    while let segment = data.removeFirst() {
      encode(ByteView(segment.pointee.base, segment.pointee.count), to: &encoded, segments)
      segments.release(segment)
    }
    if endsStream { put(.empty, ends: true, to: &encoded, segments) }
    data.append(&encoded)
  }

  private mutating func encode(
    _ bytes: ByteView, to encoded: inout SegmentQueue, _ segments: SegmentPool
  ) {
    var at = 0
    while at < bytes.count {
      let from = at
      while headBytes < GRPCFrame.headBytes, at < bytes.count {
        length = headBytes == 0 ? 0 : length << 8 | UInt32(bytes[at])
        headBytes += 1
        at += 1
        if headBytes == GRPCFrame.headBytes { bodyLeft = length }
      }
      if headBytes == GRPCFrame.headBytes {
        let step = min(Int(bodyLeft), bytes.count - at)
        bodyLeft &-= UInt32(truncatingIfNeeded: step)
        at += step
      }
      let ends = headBytes == GRPCFrame.headBytes && bodyLeft == 0
      if ends { headBytes = 0 }
      put(bytes.slice(from: from, to: at), ends: ends, to: &encoded, segments)
    }
  }

  /// - Parameter ends: The text ends behind `bytes`, in padding when it must.
  private mutating func put(
    _ bytes: ByteView, ends: Bool, to encoded: inout SegmentQueue, _ segments: SegmentPool
  ) {
    var rest = bytes
    if carried > 0, ends || carried + rest.count >= 3 {
      let taken = min(rest.count, 3 - carried)
      write(rest.prefix(taken), to: &encoded, segments)
      rest = rest.dropFirst(taken)
    }
    if carried == 0 {
      let whole = ends ? rest.count : rest.count / 3 * 3
      var done = 0
      while done < whole {
        let step = min(whole - done, Self.stepBytes)
        let target = segments.reserve(Base64.encodedCount(step), in: &encoded)
        Base64.encode(rest.slice(from: done, to: done + step), to: target)
        done += step
      }
      rest = rest.dropFirst(whole)
    }
    for i in 0..<rest.count {
      if carried == 0 { carry.0 = rest[i] } else { carry.1 = rest[i] }
      carried += 1
    }
  }

  /// A multiple of three whose text fits into a chunk.
  private static let stepBytes = 1536

  /// What is carried and `more`, up to three bytes, as one quad.
  private mutating func write(
    _ more: ByteView, to encoded: inout SegmentQueue, _ segments: SegmentPool
  ) {
    var triple: (UInt8, UInt8, UInt8) = (carry.0, carry.1, 0)
    let count = carried + more.count
    carried = 0
    withUnsafeMutableBytes(of: &triple) { buffer in
      for i in 0..<more.count { buffer[count - more.count + i] = more[i] }
      guard let base = buffer.baseAddress else { return }
      let target = segments.reserve(4, in: &encoded)
      Base64.encode(ByteView(base.assumingMemoryBound(to: UInt8.self), count), to: target)
    }
  }
}
