/// Something that must not happen and did.
public struct Violation: Sendable, CustomStringConvertible {
  /// Nanoseconds since the run began.
  public let time: UInt64
  public let text: String

  public var description: String { "at \(Double(time / 1000) / 1000) ms: \(text)" }
}
