/// Why a host is where it is: what discovery, active checks and outlier detection say of it.
///
/// Bits and words are those of Envoy's `/clusters`.
@frozen
public struct HostFlags: OptionSet, BitwiseCopyable, Hashable, Sendable {
  public var rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  public static let failedActiveCheck = HostFlags(rawValue: 1 << 0)
  public static let failedOutlierCheck = HostFlags(rawValue: 1 << 1)
  public static let failedDiscovery = HostFlags(rawValue: 1 << 2)
  public static let degradedActiveCheck = HostFlags(rawValue: 1 << 3)
  public static let degradedDiscovery = HostFlags(rawValue: 1 << 4)
  /// Discovery no longer has it, but its checks pass.
  public static let pendingDynamicRemoval = HostFlags(rawValue: 1 << 5)
  /// No check has spoken yet, in a cluster with `ignore_new_hosts_until_first_hc`.
  public static let pendingActiveCheck = HostFlags(rawValue: 1 << 6)
  public static let excludedImmediately = HostFlags(rawValue: 1 << 7)
  public static let activeCheckTimeout = HostFlags(rawValue: 1 << 8)
  public static let drainingDiscovery = HostFlags(rawValue: 1 << 9)

  /// What active checks decide.
  public static let activeCheck: HostFlags = [
    .failedActiveCheck, .degradedActiveCheck, .pendingActiveCheck, .excludedImmediately,
    .activeCheckTimeout,
  ]
  /// What discovery decides.
  public static let discovery: HostFlags = [.failedDiscovery, .degradedDiscovery, .drainingDiscovery]
  /// What makes a host unhealthy, whatever else is set.
  public static let unhealthy: HostFlags = [
    .failedActiveCheck, .failedOutlierCheck, .failedDiscovery, .drainingDiscovery,
  ]
  public static let degraded: HostFlags = [.degradedActiveCheck, .degradedDiscovery]
  /// What takes a host out of the number that healthy ones are compared with.
  public static let excluded: HostFlags = [.pendingActiveCheck, .excludedImmediately, .drainingDiscovery]
  /// What is only shown: a change of it changes no choice.
  public static let shown: HostFlags = [.activeCheckTimeout, .pendingDynamicRemoval]

  /// Envoy's word of each flag, in bit order.
  public static let words: [StaticString] = [
    "failed_active_hc", "failed_outlier_check", "failed_eds_health", "degraded_active_hc",
    "degraded_eds_health", "pending_dynamic_removal", "pending_active_hc",
    "excluded_via_immediate_hc_fail", "active_hc_timeout", "eds_status_draining",
  ]

  /// The worst that the flags say.
  @inlinable
  public var state: HostState {
    if !isDisjoint(with: .unhealthy) { return .unhealthy }
    if !isDisjoint(with: .degraded) { return .degraded }
    return .healthy
  }

  @inlinable
  public var isExcluded: Bool { !isDisjoint(with: .excluded) }

  /// As `/clusters` writes it: "healthy", or each word behind a slash.
  public var text: String {
    var text = ""
    for (bit, word) in Self.words.enumerated() where rawValue & 1 << UInt16(bit) != 0 {
      text += "/\(word)"
    }
    return text.isEmpty ? "healthy" : text
  }

  /// These flags, but `mask` as in `other`.
  @inlinable
  public func replacing(_ mask: HostFlags, from other: HostFlags) -> HostFlags {
    subtracting(mask).union(other.intersection(mask))
  }
}
