import Primitives

/// Text with places that are filled in anew each time, as flat memory.
///
/// Trivial; whoever makes it calls ``deallocate()`` once.
struct CompiledPieces {
  private enum Operation: UInt8 { case literal, sequence, random, uuid, bodyLength }

  private struct Part {
    var operation: Operation
    /// Literal: where in `bytes`. Random: the smallest value, and how many there are.
    var low: UInt32
    var count: UInt32
  }

  private let bytes: UnsafeMutablePointer<UInt8>
  private let parts: UnsafeMutablePointer<Part>
  private let partCount: Int
  /// Room that ``write(to:sequence:bodyBytes:_:)`` needs at most.
  let bytesMax: Int
  /// The whole text when it is always the same.
  let fixed: ByteView?
  /// The same each time as long as the body's length is.
  let isFixedButLength: Bool

  init(_ pieces: [RequestLayout.Piece]) {
    var text: [UInt8] = []
    var list: [Part] = []
    var most = 0
    for piece in pieces {
      switch piece {
      case .template(.literal(let literal)):
        list.append(Part(operation: .literal, low: UInt32(text.count), count: UInt32(literal.count)))
        text += literal
        most += literal.count
      case .template(.sequence):
        list.append(Part(operation: .sequence, low: 0, count: 0))
        most += 20
      case .template(.random(let low, let high)):
        list.append(Part(operation: .random, low: low, count: high - low + 1))
        most += 20
      case .template(.uuid):
        list.append(Part(operation: .uuid, low: 0, count: 0))
        most += 36
      case .bodyLength:
        list.append(Part(operation: .bodyLength, low: 0, count: 0))
        most += 20
      }
    }
    bytesMax = most
    bytes = .allocate(capacity: max(1, text.count))
    bytes.initialize(from: text, count: text.count)
    fixed = list.allSatisfy { $0.operation == .literal } ? ByteView(bytes, text.count) : nil
    isFixedButLength = list.allSatisfy { $0.operation == .literal || $0.operation == .bodyLength }
    partCount = list.count
    parts = .allocate(capacity: max(1, list.count))
    parts.initialize(from: list, count: list.count)
  }

  func deallocate() {
    bytes.deallocate()
    parts.deallocate()
  }

  /// - Returns: Bytes written.
  func write(
    to target: UnsafeMutablePointer<UInt8>, sequence: UInt64, bodyBytes: Int, _ random: inout FastRandom
  ) -> Int {
    var at = target
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
    return at - target
  }
}

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
