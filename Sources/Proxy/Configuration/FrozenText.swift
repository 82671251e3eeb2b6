import Primitives

/// Text of the configuration as bytes at a fixed address. Reading `view` through a pointer touches
/// no reference count; the bytes live as long as any copy of the value.
public struct FrozenText: @unchecked Sendable {
  // Sendable: written once in init.
  public let view: ByteView
  private let storage: Storage

  private final class Storage {
    let memory: UnsafeMutablePointer<UInt8>

    init(_ bytes: [UInt8]) {
      memory = .allocate(capacity: max(1, bytes.count))
      memory.initialize(repeating: 0, count: max(1, bytes.count))
      memory.update(from: bytes, count: bytes.count)
    }

    deinit { memory.deallocate() }
  }

  init(bytes: [UInt8]) {
    storage = Storage(bytes)
    view = ByteView(storage.memory, bytes.count)
  }

  public init(_ text: String) {
    let bytes = Array(text.utf8)
    storage = Storage(bytes)
    view = ByteView(storage.memory, bytes.count)
  }
}
