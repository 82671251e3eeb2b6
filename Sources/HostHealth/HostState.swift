/// What a choice sees of a host. Being excluded is apart: an excluded host can be in any state.
@frozen
public enum HostState: UInt8, BitwiseCopyable, Hashable, Sendable {
  case healthy
  case degraded
  case unhealthy
}
