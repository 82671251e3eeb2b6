import Primitives

/// The end of a TLS 1.3 record's content: the type, behind which are zeros only (RFC 8446, section 5.4).
public struct InnerContent: Equatable, BitwiseCopyable, Sendable {
  public let type: UInt8
  /// Bytes in front of the type.
  public let count: Int

  /// Looks for the type at the end of `run`, the last run of an opened record.
  ///
  /// - Returns: nil when all of it is padding: look at the run before; a record of padding alone is
  ///   ``TLSAlert/unexpectedMessage``.
  @inlinable
  public init?(_ run: ByteView) {
    var at = run.count
    while at > 0 {
      at &-= 1
      if run.base[at] != 0 {
        type = run.base[at]
        count = at
        return
      }
    }
    return nil
  }
}
