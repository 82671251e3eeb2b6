/// A value that never changes again, at a fixed address, so that workers read it through a pointer
/// and count no references. The object that owns it lives in a ``Snapshot``.
public final class Frozen<Value>: @unchecked Sendable {
  // Sendable: written once in init, before another thread can see it.
  public let pointer: UnsafeMutablePointer<Value>

  public init(_ value: consuming Value) {
    pointer = .allocate(capacity: 1)
    pointer.initialize(to: value)
  }

  deinit {
    pointer.deinitialize(count: 1)
    pointer.deallocate()
  }
}

/// A list that never changes again, at a fixed address. Reading `buffer` through a pointer touches
/// no reference count; the elements live as long as any copy of the value.
public struct FrozenList<Element>: @unchecked Sendable {
  // Sendable: written once in init, before another thread can see it.
  public let buffer: UnsafeMutableBufferPointer<Element>
  private let storage: Storage

  private final class Storage {
    let buffer: UnsafeMutableBufferPointer<Element>

    init(_ elements: [Element]) {
      buffer = .allocate(capacity: elements.count)
      _ = buffer.initialize(from: elements)
    }

    deinit {
      buffer.deinitialize()
      buffer.deallocate()
    }
  }

  public init(_ elements: [Element]) {
    storage = Storage(elements)
    buffer = storage.buffer
  }

  /// Whether both are copies of one value.
  func isSame(as other: Self) -> Bool { storage === other.storage }
}

extension FrozenList where Element: AnyObject {
  /// Whether these very objects are in it, in this order.
  func holds(_ elements: [Element]) -> Bool {
    buffer.count == elements.count && zip(buffer, elements).allSatisfy { $0 === $1 }
  }

  /// How many objects at the beginning are the very same in both lists, and of the rest how many at
  /// the end. Counts no references.
  func ends(sharedWith other: Self) -> (first: Int, last: Int) {
    let (a, b) = (UnsafeRawBufferPointer(buffer), UnsafeRawBufferPointer(other.buffer))
    func isSame(_ i: Int, _ j: Int) -> Bool {
      let stride = MemoryLayout<Element>.stride
      return a.load(fromByteOffset: i * stride, as: UInt.self)
        == b.load(fromByteOffset: j * stride, as: UInt.self)
    }
    let count = buffer.count
    let otherCount = other.buffer.count
    let shorter = min(count, otherCount)
    var first = 0
    while first < shorter, isSame(first, first) { first += 1 }
    var last = 0
    while last < shorter - first, isSame(count - 1 - last, otherCount - 1 - last) { last += 1 }
    return (first, last)
  }
}
