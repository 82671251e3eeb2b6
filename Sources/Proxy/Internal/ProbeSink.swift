import Primitives

/// A connection that the process makes to see what a host says on it (``Worker/startProbe(cluster:index:identity:sink:)``).
///
/// A plain number: whoever holds one of a probe that is over holds nothing, and what it asks for is not done.
public struct Probe: Equatable, Sendable {
  let slot: UInt32
  let generation: UInt32
}

/// Is told of a probe. All calls come from the worker's loop, none while ``Worker/startProbe(cluster:index:identity:sink:)``
/// or ``Worker/cancel(_:)`` runs. The worker holds the sink until the probe is over.
open class ProbeSink {
  public init() {}

  /// The host can be spoken to: TLS included, where the cluster has it.
  open func connected(_ worker: Worker, _ probe: Probe) {}

  /// At least one byte. Valid during the call.
  open func received(_ worker: Worker, _ probe: Probe, _ bytes: ByteView) {}

  /// The host has gone, or could not be reached; the last call. None after ``Worker/cancel(_:)``.
  ///
  /// - Parameter reason: What the system, or TLS, says; may be empty. Valid during the call.
  open func ended(_ worker: Worker, _ probe: Probe, _ reason: ByteView) {}
}
