import Primitives

/// Results of one host since the last sweep.
@frozen
public struct ResultCounts: BitwiseCopyable, Hashable, Sendable {
  public var results: UInt64
  public var failures: UInt64

  @inlinable
  public init(results: UInt64, failures: UInt64) {
    self.results = results
    self.failures = failures
  }

  /// In percent; nil without results. The two cells are read one after the other, so there may be more
  /// failures than results for a moment.
  public var successRate: Double? {
    guard results > 0 else { return nil }
    return Double(results.saturatingSubtract(failures)) * 100.0 / Double(results)
  }
}
