/// XXH64 of bytes that come in pieces; the same as ``xxHash64(_:seed:)`` of them all.
@frozen
public struct XXHash64Stream: Sendable {
  @usableFromInline static let p1: UInt64 = 0x9E37_79B1_85EB_CA87
  @usableFromInline static let p2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
  @usableFromInline static let p3: UInt64 = 0x1656_67B1_9E37_79F9
  @usableFromInline static let p4: UInt64 = 0x85EB_CA77_C2B2_AE63
  @usableFromInline static let p5: UInt64 = 0x27D4_EB2F_1656_67C5

  private var lanes: SIMD4<UInt64>
  /// Bytes of a block that is not complete, in the order they came.
  private var block = SIMD32<UInt8>()
  private var count: UInt64 = 0
  private let seed: UInt64

  public init(seed: UInt64 = 0) {
    self.seed = seed
    lanes = SIMD4(seed &+ Self.p1 &+ Self.p2, seed &+ Self.p2, seed, seed &- Self.p1)
  }

  public mutating func add(_ view: ByteView) {
    var at = 0
    var held = Int(count % 32)
    count &+= UInt64(view.count)
    if held > 0 {
      while held < 32, at < view.count {
        block[held] = view.base[at]
        held &+= 1
        at &+= 1
      }
      guard held == 32 else { return }
      withUnsafeBytes(of: block) { mix($0.baseAddress, 0) }
      held = 0
    }
    while view.count &- at >= 32 {
      mix(UnsafeRawPointer(view.base), at)
      at &+= 32
    }
    while at < view.count {
      block[held] = view.base[at]
      held &+= 1
      at &+= 1
    }
  }

  private mutating func mix(_ raw: UnsafeRawPointer?, _ at: Int) {
    guard let raw else { return }
    for lane in 0..<4 {
      let word = raw.loadUnaligned(fromByteOffset: at &+ lane &* 8, as: UInt64.self)
      lanes[lane] = Self.round(lanes[lane], UInt64(littleEndian: word))
    }
  }

  private static func rotate(_ x: UInt64, _ n: UInt64) -> UInt64 { x << n | x >> (64 &- n) }

  private static func round(_ sum: UInt64, _ word: UInt64) -> UInt64 {
    rotate(sum &+ word &* p2, 31) &* p1
  }

  /// The hash of everything added so far.
  public var value: UInt64 {
    var hash = seed &+ Self.p5
    if count >= 32 {
      hash =
        Self.rotate(lanes[0], 1) &+ Self.rotate(lanes[1], 7) &+ Self.rotate(lanes[2], 12)
        &+ Self.rotate(lanes[3], 18)
      for lane in 0..<4 { hash = (hash ^ Self.round(0, lanes[lane])) &* Self.p1 &+ Self.p4 }
    }
    hash &+= count
    return withUnsafeBytes(of: block) { raw in
      let rest = Int(count % 32)
      var at = 0
      while at &+ 8 <= rest {
        let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        hash = Self.rotate(hash ^ Self.round(0, word), 27) &* Self.p1 &+ Self.p4
        at &+= 8
      }
      if at &+ 4 <= rest {
        let word = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt32.self))
        hash = Self.rotate(hash ^ UInt64(word) &* Self.p1, 23) &* Self.p2 &+ Self.p3
        at &+= 4
      }
      while at < rest {
        hash = Self.rotate(hash ^ UInt64(raw[at]) &* Self.p5, 11) &* Self.p1
        at &+= 1
      }
      hash = (hash ^ hash >> 33) &* Self.p2
      hash = (hash ^ hash >> 29) &* Self.p3
      return hash ^ hash >> 32
    }
  }
}
