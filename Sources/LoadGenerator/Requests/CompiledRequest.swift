import HTTP1
import HTTPCore
import Primitives
import Reactor

/// A request ready to be sent again and again by one thread: flat memory, nothing counted.
///
/// Trivial; whoever makes it calls ``deallocate()`` once.
struct CompiledRequest {
  private enum Operation: UInt8 { case literal, sequence, random, uuid, bodyLength }

  private struct Part {
    var operation: Operation
    /// Literal: where in `bytes`. Random: the smallest value, and how many there are.
    var low: UInt32
    var count: UInt32
  }

  let method: RequestMethod
  private let bytes: UnsafeMutablePointer<UInt8>
  private let parts: UnsafeMutablePointer<Part>
  private let partCount: Int
  /// Room that the head needs at most.
  private let headBytesMax: Int
  /// The whole request when every one is the same.
  private let fixed: ByteView?
  private let bodyBytesMin: UInt32
  private let bodyBytesSpread: UInt32

  /// Requests up to this size are copied behind one another when several go at once.
  private static let copiedBytesMax = 1024

  init(_ layout: RequestLayout) {
    method = layout.method
    var text: [UInt8] = []
    var list: [Part] = []
    var headMax = 0
    for piece in layout.pieces {
      switch piece {
      case .template(.literal(let literal)):
        list.append(
          Part(operation: .literal, low: UInt32(text.count), count: UInt32(literal.count)))
        text += literal
        headMax += literal.count
      case .template(.sequence):
        list.append(Part(operation: .sequence, low: 0, count: 0))
        headMax += 20
      case .template(.random(let low, let high)):
        list.append(Part(operation: .random, low: low, count: high - low + 1))
        headMax += 20
      case .template(.uuid):
        list.append(Part(operation: .uuid, low: 0, count: 0))
        headMax += 36
      case .bodyLength:
        list.append(Part(operation: .bodyLength, low: 0, count: 0))
        headMax += 20
      }
    }
    let isFixedHead = list.count == 1
    var low = 0
    var high = 0
    switch layout.body {
    case .none: break
    case .bytes(let body):
      text += body
      (low, high) = (body.count, body.count)
    case .size(let least, let most):
      (low, high) = (least, most)
      text.reserveCapacity(text.count + high)
      for index in 0..<high { text.append(madeUpByte(index)) }
    }
    headBytesMax = headMax
    bodyBytesMin = UInt32(low)
    bodyBytesSpread = UInt32(high - low)
    bytes = .allocate(capacity: max(1, text.count))
    bytes.initialize(from: text, count: text.count)
    fixed = isFixedHead && low == high ? ByteView(bytes, text.count) : nil
    bodyStart = text.count - high
    partCount = list.count
    parts = .allocate(capacity: list.count)
    parts.initialize(from: list, count: list.count)
  }

  private let bodyStart: Int

  func deallocate() {
    bytes.deallocate()
    parts.deallocate()
  }

  /// Appends one request to `queue`.
  /// - Parameter isAlone: Nothing else goes with it, so that the bytes need not be copied.
  @inline(__always)
  func append(
    to queue: inout SegmentQueue, _ segments: SegmentPool, isAlone: Bool, sequence: UInt64,
    _ random: inout FastRandom
  ) {
    if let fixed {
      if isAlone || fixed.count > Self.copiedBytesMax {
        queue.append(segments.borrowed(fixed))
      } else {
        segments.copy(fixed, to: &queue)
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
    let bodyBytes =
      bodyBytesMin &+ (bodyBytesSpread > 0 ? random.below(bodyBytesSpread &+ 1) : 0)
    let start = segments.reserve(headBytesMax, in: &queue)
    var at = start
    for index in 0..<partCount {
      let part = parts[index]
      switch part.operation {
      case .literal:
        at.update(from: bytes + Int(part.low), count: Int(part.count))
        at += Int(part.count)
      case .sequence: at += Decimal.write(sequence, to: at)
      case .random: at += Decimal.write(UInt64(part.low &+ random.below(part.count)), to: at)
      case .uuid: at += writeUUID(random.next(), random.next(), to: at)
      case .bodyLength: at += Decimal.write(UInt64(bodyBytes), to: at)
      }
    }
    segments.unreserve(headBytesMax - (at - start), in: &queue)
    guard bodyBytes > 0 else { return }
    let body = ByteView(bytes + bodyStart, Int(bodyBytes))
    if body.count <= Self.copiedBytesMax {
      segments.copy(body, to: &queue)
    } else {
      queue.append(segments.borrowed(body))
    }
  }
}

/// The bytes of made-up bodies: letters, so that they are easy to look at.
func madeUpByte(_ index: Int) -> UInt8 { UInt8(97 + index % 26) }

/// Writes a version 4 UUID (RFC 9562) made from 128 random bits; 36 bytes.
func writeUUID(_ high: UInt64, _ low: UInt64, to target: UnsafeMutablePointer<UInt8>) -> Int {
  let first = high & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
  let second = low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
  var at = 0
  for digit in 0..<32 {
    if digit == 8 || digit == 12 || digit == 16 || digit == 20 {
      target[at] = 45
      at += 1
    }
    let word = digit < 16 ? first : second
    let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - digit % 16 * 4)) & 15
    target[at] = nibble < 10 ? 48 &+ nibble : 87 &+ nibble
    at += 1
  }
  return at
}
