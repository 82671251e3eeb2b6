/// How an active check failed, or what stands for one.
@frozen
public enum CheckFailure: UInt8, BitwiseCopyable, Hashable, Sendable, CaseIterable {
  /// The host answered, and not as expected.
  case active
  /// An answer to an ordinary request asked for it (`x-envoy-immediate-health-check-fail`).
  case passive
  /// Refused, reset, closed.
  case network
  /// No answer in time.
  case networkTimeout

  /// Counts as `network_failure`, and is believed only when it repeats.
  @inlinable
  public var isNetwork: Bool { self == .network || self == .networkTimeout }

  /// As in the event log.
  public var word: StaticString {
    switch self {
    case .active: "ACTIVE"
    case .passive: "PASSIVE"
    case .network: "NETWORK"
    case .networkTimeout: "NETWORK_TIMEOUT"
    }
  }
}
