import HTTPCore
import Primitives

/// A copy of a route's requests that goes to another cluster (`RouteAction.RequestMirrorPolicy`,
/// envoy/config/route/v3/route_components.proto).
public struct MirrorPolicy: Sendable {
  public enum Cluster: Sendable {
    case slot(UInt32)
    /// A header of the request names it.
    case header(name: FrozenText, known: KnownHeader)

    public static func header(_ name: String) -> Cluster {
      let text = FrozenText(name.lowercased())
      return .header(name: text, known: KnownHeaderTable.shared.find(text.view))
    }
  }

  /// What the copy has for a host.
  public enum Host: Sendable {
    /// The request's with `-shadow` before the port.
    case suffixed
    case unchanged
    case literal(FrozenText)
  }

  public var cluster: Cluster
  /// So many of `denominator` requests are copied.
  public var numerator: UInt32 = 1
  public var denominator: UInt32 = 1
  public var host = Host.suffixed
  /// Done to the copy's headers, before the host and the proxy's own are set.
  let mutations: Unmanaged<HeaderMutationSteps>?
  private let owner: HeaderMutationSteps?

  public init(cluster: Cluster, mutations: HeaderMutationSteps? = nil) {
    self.cluster = cluster
    owner = mutations
    self.mutations = mutations.map { .passUnretained($0) }
  }
}
