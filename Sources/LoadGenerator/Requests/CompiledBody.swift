import Primitives

/// Bodies of one kind of request: the same bytes again and again, or a number of them drawn anew.
///
/// Trivial; whoever makes it calls ``deallocate()`` once.
struct CompiledBody {
  private let bytes: UnsafeMutablePointer<UInt8>
  private let least: UInt32
  private let spread: UInt32

  init(_ body: RequestBody) {
    let text: [UInt8]
    switch body {
    case .none: (text, least) = ([], 0)
    case .bytes(let content): (text, least) = (content, UInt32(content.count))
    case .size(let low, let high): (text, least) = ((0..<high).map(madeUpByte), UInt32(low))
    }
    spread = UInt32(text.count) - least
    bytes = .allocate(capacity: max(1, text.count))
    bytes.initialize(from: text, count: text.count)
  }

  func deallocate() { bytes.deallocate() }

  var isFixed: Bool { spread == 0 }

  /// How many bytes the next one has.
  @inline(__always)
  func drawCount(_ random: inout FastRandom) -> Int {
    Int(least &+ (spread > 0 ? random.below(spread &+ 1) : 0))
  }

  @inline(__always)
  func prefix(_ count: Int) -> ByteView { ByteView(bytes, count) }
}

/// The bytes of made-up bodies: letters, so that they are easy to look at.
func madeUpByte(_ index: Int) -> UInt8 { UInt8(97 + index % 26) }
