/// Known headers as two words: whether a map has any of them is two comparisons.
@frozen
public struct KnownHeaderSet: Sendable {
  @usableFromInline let low: UInt64
  @usableFromInline let high: UInt64

  @inlinable
  public init(_ headers: some Sequence<KnownHeader>) {
    var low: UInt64 = 0
    var high: UInt64 = 0
    for known in headers {
      let bit = UInt64(1) << UInt64(known.rawValue & 63)
      if known.rawValue < 64 { low |= bit } else { high |= bit }
    }
    self.low = low
    self.high = high
  }
}

extension HeaderMap {
  /// Whether one of these headers is there.
  @inlinable @inline(__always)
  public func hasAny(of set: KnownHeaderSet) -> Bool { present0 & set.low | present1 & set.high != 0 }
}
