import Primitives
import Reactor

/// Base64 that comes in pieces, to bytes. Trivial.
package struct GRPCWebTextDecoder {
  private var quad: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
  private var count = 0

  /// Characters came that do not make a whole quad yet.
  package var isWithinQuad: Bool { count > 0 }

  package init() {}

  /// - Returns: False when the text is no Base64.
  package mutating func decode(_ data: inout SegmentQueue, _ segments: SegmentPool) -> Bool {
    var decoded = SegmentQueue()
    while let segment = data.removeFirst() {
      let isRight = decode(ByteView(segment.pointee.base, segment.pointee.count), to: &decoded, segments)
      segments.release(segment)
      guard isRight else {
        segments.releaseAll(&decoded)
        return false
      }
    }
    data.append(&decoded)
    return true
  }

  private mutating func decode(
    _ text: ByteView, to decoded: inout SegmentQueue, _ segments: SegmentPool
  ) -> Bool {
    var rest = text
    while count > 0, !rest.isEmpty {
      put(rest[0])
      rest = rest.dropFirst(1)
      guard count == 4 else { continue }
      count = 0
      let isRight = withUnsafeBytes(of: quad) { buffer in
        guard let base = buffer.baseAddress else { return false }
        return decodeQuads(ByteView(base.assumingMemoryBound(to: UInt8.self), 4), to: &decoded, segments)
      }
      guard isRight else { return false }
    }
    let whole = rest.count / 4 * 4
    var done = 0
    while done < whole {
      let step = min(whole - done, Self.stepBytes)
      guard decodeQuads(rest.slice(from: done, to: done + step), to: &decoded, segments) else { return false }
      done += step
    }
    for i in whole..<rest.count { put(rest[i]) }
    return true
  }

  /// Fits into a chunk.
  private static let stepBytes = 2048

  private func decodeQuads(
    _ text: ByteView, to decoded: inout SegmentQueue, _ segments: SegmentPool
  ) -> Bool {
    let room = text.count / 4 * 3
    let target = segments.reserve(room, in: &decoded)
    guard let written = Base64.decode(text, to: target) else { return false }
    segments.unreserve(room - written, in: &decoded)
    return true
  }

  private mutating func put(_ byte: UInt8) {
    switch count {
    case 0: quad.0 = byte
    case 1: quad.1 = byte
    case 2: quad.2 = byte
    default: quad.3 = byte
    }
    count += 1
  }
}
