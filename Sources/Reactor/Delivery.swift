/// What has become of the bytes that the kernel took for a socket.
public struct Delivery: Sendable {
  /// All bytes that the peer ever acknowledged.
  public var acknowledgedBytes: UInt64
  /// Some are not acknowledged yet.
  public var isOutstanding: Bool

  public init(acknowledgedBytes: UInt64 = 0, isOutstanding: Bool = false) {
    self.acknowledgedBytes = acknowledgedBytes
    self.isOutstanding = isOutstanding
  }
}
