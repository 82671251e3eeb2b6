import HTTP1
import HTTPCore
import Primitives

/// What an origin's answers are made of: a long run of letters, and the usual answer whole.
final class AnswerContent {
  /// Bodies longer than this are sent as several pieces.
  static let letterCount = 256 << 10
  private static let wholeBytesMax = 64 << 10

  private let letters: UnsafeMutablePointer<UInt8>
  private let whole: UnsafeMutablePointer<UInt8>
  /// The usual answer, head and body; nil when it is not one run of bytes.
  let usual: ByteView?
  private let arenas = ArenaPool()
  private let arena: UnsafeMutablePointer<Arena>

  init(_ plan: OriginPlan) {
    letters = .allocate(capacity: Self.letterCount)
    for index in 0..<Self.letterCount { letters[index] = UInt8(97 + index % 26) }
    arena = .allocate(capacity: 1)
    arena.initialize(to: Arena(pool: arenas))
    whole = .allocate(capacity: Self.wholeBytesMax + Self.headBytesMax)
    guard plan.bodyBytes <= Self.wholeBytesMax, !plan.isChunked, plan.bodyRate == nil else {
      usual = nil
      return
    }
    let head = Self.writeHead(
      arena, status: 200, framing: .length(UInt64(plan.bodyBytes)), options: [], to: whole)
    (whole + head).update(from: letters, count: plan.bodyBytes)
    usual = ByteView(whole, head + plan.bodyBytes)
  }

  deinit {
    letters.deallocate()
    whole.deallocate()
    arena.pointee.reset()
    arena.deallocate()
  }

  /// Bytes that suffice for any head.
  static let headBytesMax = 512

  func writeHead(
    status: UInt16, framing: BodyFraming, options: HTTP1Writer.ResponseOptions,
    to target: UnsafeMutablePointer<UInt8>
  ) -> Int {
    Self.writeHead(arena, status: status, framing: framing, options: options, to: target)
  }

  private static func writeHead(
    _ arena: UnsafeMutablePointer<Arena>, status: UInt16, framing: BodyFraming,
    options: HTTP1Writer.ResponseOptions, to target: UnsafeMutablePointer<UInt8>
  ) -> Int {
    arena.pointee.reset()
    var map = HeaderMap(arena: arena)
    map.append(.contentType, ByteView("text/plain"))
    return HTTP1Writer.writeResponseHead(
      map, status: status, framing: framing, options: options, to: target)
  }

  /// The bytes of a body from `offset`, as many as are in one run.
  func letters(from offset: Int, count: Int) -> ByteView {
    // Every body is the alphabet again and again; 26 does not divide the run's length.
    let start = offset % 26
    return ByteView(letters + start, min(count, Self.letterCount - 26))
  }
}
