import Primitives

/// A bounded place to write text: a buffer of the caller, a count, and whether something did not
/// fit. Never writes past its end; what does not fit is cut and reported.
@frozen
public struct ByteSink {
  public let base: UnsafeMutablePointer<UInt8>
  public let capacity: Int
  public private(set) var count = 0
  /// Something was cut since the sink was made.
  public private(set) var isTruncated = false

  @inlinable
  public init(_ base: UnsafeMutablePointer<UInt8>, capacity: Int) {
    self.base = base
    self.capacity = capacity
  }

  /// What was written; valid as long as the buffer.
  @inlinable
  public var written: ByteView { ByteView(base, count) }

  public mutating func write(_ view: ByteView) {
    let room = capacity &- count
    let fitting = min(view.count, room)
    if fitting < view.count { isTruncated = true }
    (base + count).update(from: view.base, count: fitting)
    count &+= fitting
  }

  @inline(__always)
  public mutating func write(_ byte: UInt8) {
    if count < capacity {
      base[count] = byte
      count &+= 1
    } else {
      isTruncated = true
    }
  }

  public mutating func write(_ text: StaticString) { write(ByteView(text)) }

  public mutating func write(decimal value: UInt64) {
    if capacity &- count >= 20 {
      count &+= Decimal.write(value, to: base + count)
      return
    }
    withScratch(20) { room in Decimal.write(value, to: room) }
  }

  public mutating func write(_ address: IPAddress) {
    if capacity &- count >= 48 {
      count &+= address.write(to: base + count)
      return
    }
    withScratch(48) { room in address.write(to: room) }
  }

  /// Writes through room on the stack; for the last bytes before the end.
  private mutating func withScratch(
    _ size: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int
  ) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: size) { room in
      guard let scratch = room.baseAddress else { return }
      write(ByteView(scratch, body(scratch)))
    }
  }

  /// Takes back what was written after `mark`, a former `count`.
  public mutating func rewind(to mark: Int) {
    assert(mark >= 0 && mark <= count)
    count = mark
  }
}
