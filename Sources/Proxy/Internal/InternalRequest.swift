import Primitives

/// A request that the process itself makes, by the worker that has begun it (``Worker/startRequest(_:body:ends:sink:head:)``).
///
/// A plain number: whoever holds one of a request that is over holds nothing, and what it asks for is not done.
public struct InternalRequest: Equatable, Sendable {
  let slot: UInt32
  let generation: UInt32

  /// Who is to take it.
  public enum Target: Sendable {
    /// A host of the cluster that its balancer chooses.
    case cluster(UInt32)
    /// This one of the cluster and no other, whatever the balancer thinks of it.
    ///
    /// - Parameters:
    ///   - index: Where it was among the cluster's hosts: it is looked at first.
    ///   - identity: ``HostConfig/identity``.
    case host(cluster: UInt32, index: Int, identity: UInt64)

    var cluster: UInt32 {
      switch self {
      case .cluster(let slot), .host(let slot, _, _): slot
      }
    }
  }

  /// Times in nanoseconds; 0 = no such limit.
  public struct Settings: Sendable {
    public var target: Target
    /// From the end of the request to the end of the response, as a route's.
    public var timeout: UInt64 = 0
    /// From the start, whatever happens.
    public var deadline: UInt64 = 0
    /// Without a byte either way.
    public var idleTimeout: UInt64 = 0
    /// Of a body that comes in pieces: bytes that may wait before ``Worker/send(_:to:ends:)`` says so.
    public var bufferLimitBytes = 1 << 20

    public init(target: Target) { self.target = target }
  }

  /// Why a request has no whole response.
  public struct Failure {
    public enum Cause: UInt8, Sendable {
      /// No such cluster.
      case noCluster
      /// The cluster has no host to choose, or not the one that was asked for.
      case noHost
      /// A limit of the cluster is reached.
      case overflow
      /// No connection, or no TLS on it.
      case connect
      /// The host ended the connection.
      case terminated
      /// The host, or its HTTP/2 library, gave the request up.
      case reset
      case protocolError
      /// ``InternalRequest/Settings/timeout``.
      case timeout
      /// ``InternalRequest/Settings/deadline``.
      case deadline
      /// ``InternalRequest/Settings/idleTimeout``.
      case idle
      /// The worker ends.
      case shutDown
    }

    public let cause: Cause
    /// What `%RESPONSE_CODE_DETAILS%` of a client's request would say. Valid during the call.
    public let details: ByteView
    /// What the system, or TLS, says; may be empty. Valid during the call.
    public let transport: ByteView
  }
}
