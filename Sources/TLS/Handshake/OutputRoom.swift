/// Memory that output is written to, from its beginning.
public struct OutputRoom: BitwiseCopyable {
  public let base: UnsafeMutablePointer<UInt8>
  public let capacity: Int
  /// Bytes written.
  public var count = 0

  /// A server's first flight is 1 to 6 KiB, depending on its certificates; with less room it comes in pieces.
  public init(_ base: UnsafeMutablePointer<UInt8>, capacity: Int) {
    self.base = base
    self.capacity = capacity
  }

  public var left: Int { capacity - count }
}
