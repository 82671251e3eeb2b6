import HTTP1
import HTTPCore
import Primitives
import Reactor

/// A request of HTTP/1 ready to be sent again and again by one thread: flat memory, nothing counted.
///
/// Trivial; whoever makes it calls ``deallocate()`` once.
struct CompiledRequest {
  let method: RequestMethod
  private let head: CompiledPieces
  private let body: CompiledBody
  /// The whole request when every one is the same.
  private let whole: UnsafeMutableBufferPointer<UInt8>?

  /// Requests up to this size are copied behind one another when several go at once.
  static let copiedBytesMax = 1024

  init(_ layout: RequestLayout) {
    method = layout.method
    head = CompiledPieces(layout.pieces)
    body = CompiledBody(layout.body)
    guard let fixed = head.fixed, body.isFixed else {
      whole = nil
      return
    }
    // The body's length does not depend on the draw.
    var random = FastRandom(seed: 0)
    let content = body.prefix(body.drawCount(&random))
    let made = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: fixed.count + content.count)
    _ = made.initialize(from: fixed.array + content.array)
    whole = made
  }

  func deallocate() {
    head.deallocate()
    body.deallocate()
    whole?.deallocate()
  }

  /// Appends one request to `queue`.
  /// - Parameter isAlone: Nothing else goes with it, so that the bytes need not be copied.
  @inline(__always)
  func append(
    to queue: inout SegmentQueue, _ segments: SegmentPool, isAlone: Bool, sequence: UInt64,
    _ random: inout FastRandom
  ) {
    if let whole, let base = whole.baseAddress {
      let view = ByteView(base, whole.count)
      if isAlone || view.count > Self.copiedBytesMax {
        queue.append(segments.borrowed(view))
      } else {
        segments.copy(view, to: &queue)
      }
      return
    }
    appendFilled(to: &queue, segments, sequence: sequence, &random)
  }

  @inline(never)
  private func appendFilled(
    to queue: inout SegmentQueue, _ segments: SegmentPool, sequence: UInt64,
    _ random: inout FastRandom
  ) {
    let bodyBytes = body.drawCount(&random)
    let target = segments.reserve(head.bytesMax, in: &queue)
    let count = head.write(to: target, sequence: sequence, bodyBytes: bodyBytes, &random)
    segments.unreserve(head.bytesMax - count, in: &queue)
    appendBody(body.prefix(bodyBytes), to: &queue, segments)
  }
}

/// Appends a part of a body, which lives as long as the run.
@inline(__always)
func appendBody(_ content: ByteView, to queue: inout SegmentQueue, _ segments: SegmentPool) {
  if content.count > CompiledRequest.copiedBytesMax {
    queue.append(segments.borrowed(content))
  } else if content.count > 0 {
    segments.copy(content, to: &queue)
  }
}
