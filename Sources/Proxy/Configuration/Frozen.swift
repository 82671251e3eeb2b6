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

/// A list that never changes again, at a fixed address.
public final class FrozenList<Element>: @unchecked Sendable {
  // Sendable: written once in init, before another thread can see it.
  public let buffer: UnsafeMutableBufferPointer<Element>

  public init(_ elements: [Element]) {
    buffer = .allocate(capacity: elements.count)
    _ = buffer.initialize(from: elements)
  }

  deinit {
    buffer.deinitialize()
    buffer.deallocate()
  }
}
