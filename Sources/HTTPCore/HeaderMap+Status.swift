import Primitives

extension HeaderMap {
  /// The number in `:status`, 100...999; 0 when there is none.
  public var status: UInt16 {
    guard let code = value(.status)?.decimal(limit: 999) else { return 0 }
    return UInt16(truncatingIfNeeded: code)
  }
}
