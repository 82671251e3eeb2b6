import HTTPCore
import Primitives
import Routing

/// What faults a request gets, but for chance.
extension FaultSettings {
  /// Why a request gets none.
  public enum Exemption: Equatable, Sendable {
    /// `upstream_cluster` is another one.
    case cluster
    /// `downstream_nodes` are others.
    case node
    /// Index into `headers`.
    case header(Int)
  }

  /// - Parameter cluster: That the route leads to; asked for only where it counts.
  @inline(__always)
  func exemption(
    _ headers: UnsafePointer<HeaderMap>, cluster: () -> ByteView?
  ) -> Exemption? {
    let wanted = upstreamCluster.view
    if !wanted.isEmpty {
      guard let name = cluster(), name == wanted else { return .cluster }
    }
    if !downstreamNodes.buffer.isEmpty {
      guard let node = headers.pointee.value(.envoyDownstreamServiceNode),
        downstreamNodes.buffer.contains(where: { $0 == node })
      else { return .node }
    }
    return self.headers?.mismatch(headers).map { .header($0) }
  }

  /// How long a request waits and how often such a one does; nil: it does not.
  func delay(_ headers: UnsafePointer<HeaderMap>) -> (nanoseconds: UInt64, percentage: Percentage)? {
    switch delay {
    case nil: return nil
    case .fixed(let nanoseconds): return nanoseconds > 0 ? (nanoseconds, delayPercentage) : nil
    case .header:
      guard let text = headers.pointee.value(.envoyFaultDelayRequest),
        let milliseconds = text.decimal(limit: Self.delayMillisecondsMax), milliseconds > 0
      else { return nil }
      let percentage = delayPercentage.limited(by: headers.pointee.value(.envoyFaultDelayRequestPercentage))
      return (milliseconds &* 1_000_000, percentage)
    }
  }

  /// A request cannot ask for more than a day: the product stays far from overflow.
  private static let delayMillisecondsMax: UInt64 = 86_400_000

  /// The status that ends a request.
  public struct AbortStatus: Sendable {
    public var status: UInt16
    public var grpcStatus: GRPCStatus?

    init(_ status: UInt16) { self.status = status }

    init(_ grpcStatus: GRPCStatus) {
      status = 200
      self.grpcStatus = grpcStatus
    }
  }

  /// What ends a request and how often; nil: nothing does.
  func abort(_ headers: UnsafePointer<HeaderMap>) -> (status: AbortStatus, percentage: Percentage)? {
    switch abort {
    case nil: return nil
    case .status(let status): return (AbortStatus(status), abortPercentage)
    case .grpcStatus(let status): return (AbortStatus(status), abortPercentage)
    case .header:
      let percentage = abortPercentage.limited(by: headers.pointee.value(.envoyFaultAbortRequestPercentage))
      if let status = headers.pointee.value(.envoyFaultAbortRequest)?.decimal(limit: 599), status >= 200 {
        return (AbortStatus(UInt16(clamping: status)), percentage)
      }
      guard let text = headers.pointee.value(name: ByteView("x-envoy-fault-abort-grpc-request"), known: .other),
        let code = text.decimal(limit: UInt64(UInt32.max))
      else { return nil }
      return (AbortStatus(GRPCStatus(code: UInt32(truncatingIfNeeded: code))), percentage)
    }
  }
}

extension FaultSettings.Percentage {
  /// A request may ask for less than the configuration allows, never for more.
  fileprivate func limited(by text: ByteView?) -> Self {
    guard let wanted = text?.decimal(limit: UInt64(UInt32.max)) else { return self }
    return Self(numerator: min(numerator, UInt32(clamping: wanted)), denominator: denominator)
  }
}
