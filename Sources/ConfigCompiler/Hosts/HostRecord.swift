import HostHealth
import Proxy

/// What main knows of a host of a cluster.
struct HostRecord {
  var config: Frozen<HostConfig>
  var flags: HostFlags
  /// The last answer of discovery had it.
  var isPresent = true
  /// `disable_active_health_check`
  var isCheckDisabled: Bool
  /// When it came or became healthy last, in nanoseconds of the workers' clock.
  var readySince: UInt64

  var number: UInt32 { config.pointer.pointee.number }
}

/// What a change of a host means for those who choose.
public enum HostChange: Sendable, Hashable {
  /// Nobody chooses otherwise.
  case none
  /// It takes traffic that it did not take, or takes more.
  case comes
  /// It must not get traffic any more, or less: workers are to know at once.
  case leaves
}
