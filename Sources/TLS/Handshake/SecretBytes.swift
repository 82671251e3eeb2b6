import COpenSSL
import Primitives

/// Bytes that are overwritten before their memory is given back: private keys, passwords, keys of tickets.
public final class SecretBytes: Sendable {
  private nonisolated(unsafe) let buffer: UnsafeMutableBufferPointer<UInt8>

  /// Copies; the source stays the caller's to overwrite.
  public init(_ bytes: some Collection<UInt8>) {
    buffer = .allocate(capacity: max(1, bytes.count))
    _ = buffer.update(fromContentsOf: bytes)
    count = bytes.count
  }

  public let count: Int

  deinit {
    copenssl_cleanse(buffer.baseAddress, buffer.count)
    buffer.deallocate()
  }

  /// The view is valid within `body` only.
  public func withView<R>(_ body: (ByteView) throws -> R) rethrows -> R {
    guard let base = buffer.baseAddress else { return try body(.empty) }
    return try body(ByteView(base, count))
  }
}

extension SecretBytes: Equatable {
  public static func == (a: SecretBytes, b: SecretBytes) -> Bool {
    a.withView { a in b.withView { b in a == b } }
  }
}
