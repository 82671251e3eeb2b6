import SwiftProtobuf

extension CompilerPass {
  /// A hundred years are as good as for ever and leave room for sums.
  static let durationSecondsMax: UInt64 = 3_155_760_000

  /// - Returns: 0 when the text says 0, or after an error.
  func nanoseconds(_ duration: Google_Protobuf_Duration, _ path: String) -> UInt64 {
    guard duration.seconds >= 0, duration.nanos >= 0 else {
      error(path, "must not be negative")
      return 0
    }
    let seconds = min(UInt64(duration.seconds), Self.durationSecondsMax)
    return seconds * 1_000_000_000 + UInt64(duration.nanos)
  }

  /// Rounded up, so that something above 0 never becomes "none".
  func milliseconds(_ duration: Google_Protobuf_Duration, _ path: String) -> UInt64 {
    (nanoseconds(duration, path) + 999_999) / 1_000_000
  }
}
