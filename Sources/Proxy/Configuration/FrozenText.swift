import Primitives

/// Text of the configuration as bytes at a fixed address, freed with its owner.
public final class FrozenText: @unchecked Sendable {
  // Sendable: written once in init.
  public let view: ByteView
  private let memory: UnsafeMutablePointer<UInt8>

  public init(_ text: String) {
    let bytes = Array(text.utf8)
    memory = .allocate(capacity: max(1, bytes.count))
    memory.initialize(repeating: 0, count: max(1, bytes.count))
    memory.update(from: bytes, count: bytes.count)
    view = ByteView(memory, bytes.count)
  }

  deinit { memory.deallocate() }
}
