import HTTPCore
import Primitives
import Routing

/// What faults to inject and into which requests (`HTTPFault` of fault.proto), for a whole filter or,
/// as ``FaultRouteConfig``, for a route.
public final class FaultSettings: @unchecked Sendable {
  // Sendable: immutable after init.

  /// A chance in a whole: 1 of 100, 10,000 or 1,000,000.
  public struct Percentage: Sendable, Equatable {
    public var numerator: UInt32
    public var denominator: UInt32

    public init(numerator: UInt32, denominator: UInt32) {
      self.numerator = numerator
      self.denominator = max(1, denominator)
    }
  }

  public enum Delay: Sendable {
    case fixed(nanoseconds: UInt64)
    /// The request says how long (`x-envoy-fault-delay-request`, milliseconds).
    case header
  }

  public enum Abort: Sendable {
    case status(UInt16)
    /// A gRPC client gets this status, another one 200.
    case grpcStatus(GRPCStatus)
    /// The request says which status (`x-envoy-fault-abort-request`, `x-envoy-fault-abort-grpc-request`).
    case header
  }

  let delay: Delay?
  let delayPercentage: Percentage
  let abort: Abort?
  let abortPercentage: Percentage
  let headers: HeaderConditions?
  let upstreamCluster: FrozenText
  let downstreamNodes: FrozenList<ByteView>
  private let downstreamNodeOwners: [FrozenText]
  let maxActiveFaults: UInt32

  /// - Parameters:
  ///   - delay: With how often it happens. For a delay that the request asks for, the most often
  ///     that a request can ask.
  ///   - headers: Nil: all requests.
  ///   - upstreamCluster: Only requests to this cluster; empty: to any.
  ///   - downstreamNodes: Only requests with one of these in `x-envoy-downstream-service-node`; empty:
  ///     all.
  ///   - maxActiveFaults: Of the filter, over all workers. Nil: no limit.
  public init(
    delay: (Delay, Percentage)? = nil, abort: (Abort, Percentage)? = nil,
    headers: HeaderConditions? = nil, upstreamCluster: String = "", downstreamNodes: [String] = [],
    maxActiveFaults: UInt32? = nil
  ) {
    let never = Percentage(numerator: 0, denominator: 100)
    self.delay = delay?.0
    delayPercentage = delay?.1 ?? never
    self.abort = abort?.0
    abortPercentage = abort?.1 ?? never
    self.headers = headers
    self.upstreamCluster = FrozenText(upstreamCluster)
    let nodes = downstreamNodes.map { FrozenText($0) }
    downstreamNodeOwners = nodes
    self.downstreamNodes = FrozenList(nodes.map(\.view))
    self.maxActiveFaults = maxActiveFaults ?? .max
  }
}

/// A route's own faults, instead of the filter's.
public final class FaultRouteConfig: Sendable {
  let settings: FaultSettings

  public init(_ settings: FaultSettings) { self.settings = settings }
}
