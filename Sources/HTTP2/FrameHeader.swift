import Primitives

/// The nine bytes before each frame (RFC 9113 section 4.1).
@frozen
public struct FrameHeader: Sendable, Equatable {
  public static let byteCount = 9

  /// Bytes of the payload, below 2^24.
  public var length: Int
  public var type: UInt8
  public var flags: UInt8
  /// Without the reserved bit.
  public var streamID: Int32

  public init(length: Int, type: UInt8, flags: UInt8, streamID: Int32) {
    self.length = length
    self.type = type
    self.flags = flags
    self.streamID = streamID
  }

  /// - Parameter base: ``byteCount`` readable bytes.
  @inline(__always)
  public init(_ base: UnsafePointer<UInt8>) {
    let raw = UnsafeRawPointer(base)
    let word = UInt32(bigEndian: raw.loadUnaligned(as: UInt32.self))
    let stream = UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: 5, as: UInt32.self))
    length = Int(word &>> 8)
    type = UInt8(truncatingIfNeeded: word)
    flags = base[4]
    streamID = Int32(truncatingIfNeeded: stream & 0x7FFF_FFFF)
  }
}

/// Frame types (RFC 9113 section 6, RFC 9218 section 7.1).
public enum FrameType {
  public static let data: UInt8 = 0
  public static let headers: UInt8 = 1
  public static let priority: UInt8 = 2
  public static let reset: UInt8 = 3
  public static let settings: UInt8 = 4
  public static let pushPromise: UInt8 = 5
  public static let ping: UInt8 = 6
  public static let goAway: UInt8 = 7
  public static let windowUpdate: UInt8 = 8
  public static let continuation: UInt8 = 9
  public static let priorityUpdate: UInt8 = 16
}

/// Flags of frames; some share a bit.
public enum FrameFlag {
  public static let endStream: UInt8 = 0x1
  public static let acknowledgement: UInt8 = 0x1
  public static let endHeaders: UInt8 = 0x4
  public static let padded: UInt8 = 0x8
}
