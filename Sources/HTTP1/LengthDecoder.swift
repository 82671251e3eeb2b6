/// Counts down content of a known length.
@frozen
public struct LengthDecoder: Sendable {
  /// Bytes still to come.
  public private(set) var remaining: UInt64

  @inlinable
  public init(length: UInt64) { self.init(remaining: length) }

  @usableFromInline init(remaining: UInt64) { self.remaining = remaining }

  public var isComplete: Bool { remaining == 0 }

  /// How many of `available` bytes belong to the content; the rest is the next message.
  public mutating func take(_ available: Int) -> Int {
    let taken = min(remaining, UInt64(max(0, available)))
    remaining &-= taken
    return Int(taken)
  }
}
