/// A borrowed run of bytes: a pointer and a length, no ownership, no reference count.
///
/// The memory belongs to somebody else (an ``Arena``, a receive buffer, a snapshot) and must
/// outlive the view. It is the currency of the request path, where `String` and `Array` would
/// allocate or count references.
@frozen
public struct ByteView: @unchecked Sendable {
  // Sendable: a view is two words; whoever passes it on answers for the memory's lifetime.
  public let base: UnsafePointer<UInt8>
  public let count: Int

  @inlinable @inline(__always)
  public init(_ base: UnsafePointer<UInt8>, _ count: Int) {
    self.base = base
    self.count = count
  }

  @inlinable @inline(__always)
  public init(_ text: StaticString) {
    self.base = text.utf8Start
    self.count = text.utf8CodeUnitCount
  }

  @inlinable
  public static var empty: ByteView { ByteView("") }

  @inlinable @inline(__always)
  public var isEmpty: Bool { count == 0 }

  @inlinable @inline(__always)
  public var end: UnsafePointer<UInt8> { base + count }

  /// The byte at `index`, which must be within `0..<count`.
  @inlinable @inline(__always)
  public subscript(index: Int) -> UInt8 {
    assert(index >= 0 && index < count)
    return base[index]
  }

  @inlinable @inline(__always)
  public func slice(from: Int, to: Int) -> ByteView {
    assert(from >= 0 && from <= to && to <= count)
    return ByteView(base + from, to - from)
  }

  @inlinable @inline(__always)
  public func dropFirst(_ n: Int) -> ByteView { slice(from: n, to: count) }

  @inlinable @inline(__always)
  public func prefix(_ n: Int) -> ByteView { slice(from: 0, to: min(n, count)) }

  @inlinable
  public var buffer: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base, count: count) }

  /// A copy as a `String`, for configuration, logs of rare events and tests.
  public var string: String { String(decoding: buffer, as: UTF8.self) }

  /// A copy as an array, for configuration and tests.
  public var array: [UInt8] { Array(buffer) }
}
