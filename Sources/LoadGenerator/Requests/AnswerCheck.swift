/// What a right answer is.
public struct AnswerCheck: Sendable, Equatable {
  /// Status codes that are right; empty: 200...399.
  public var statuses: Set<Int> = []
  /// Bytes of the content.
  public var bodyBytes: Int?
  /// The content itself.
  public var body: [UInt8]?
  /// XXH64 of the content with seed 0.
  public var bodyHash: UInt64?

  public init() {}

  func accepts(status: Int) -> Bool {
    statuses.isEmpty ? (200..<400).contains(status) : statuses.contains(status)
  }
}
