/// What a completion belongs to: packed into the 64 bits of `user_data`.
///
/// Never a pointer: a late completion for a slot that has been recycled must be recognisable, so
/// every use of a slot has a generation.
public struct Token: Equatable {
  public enum Operation: UInt8 {
    case receive = 1, send, connect, accept, close, cancel, shutdown, message, poll, ignore
    /// A descriptor may be read, or written: for splices.
    case readable, writable
    /// An accepted socket from another ring; one that could not be sent there.
    case handover, handoverFailed
  }

  public let rawValue: UInt64

  @inlinable @inline(__always)
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// - Parameter generation: 24 bits are kept.
  @inlinable @inline(__always)
  public init(_ operation: Operation, slot: UInt32, generation: UInt32) {
    rawValue =
      UInt64(operation.rawValue) << 56 | UInt64(generation & 0xFF_FFFF) << 32 | UInt64(slot)
  }

  @inlinable @inline(__always)
  public var operation: Operation? { Operation(rawValue: UInt8(rawValue >> 56)) }

  @inlinable @inline(__always)
  public var slot: UInt32 { UInt32(truncatingIfNeeded: rawValue) }

  @inlinable @inline(__always)
  public var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) & 0xFF_FFFF }
}

/// One entry of the completion queue.
public struct Completion {
  public let token: Token
  /// Bytes, a descriptor, or a negated errno.
  public let result: Int32
  public let flags: UInt32

  @inlinable
  public init(token: Token, result: Int32, flags: UInt32) {
    self.token = token
    self.result = result
    self.flags = flags
  }

  /// Whether the multishot operation that made it goes on.
  @inlinable @inline(__always)
  public var hasMore: Bool { flags & 2 != 0 }

  /// The provided buffer that holds the data.
  @inlinable @inline(__always)
  public var bufferID: UInt16? { flags & 1 != 0 ? UInt16(truncatingIfNeeded: flags >> 16) : nil }
}
