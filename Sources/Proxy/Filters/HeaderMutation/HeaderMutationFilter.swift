import Format
import HTTPCore
import Primitives
import Reactor

/// Changes headers of requests and responses (`envoy.filters.http.header_mutation`).
///
/// The filter's own mutations come first, then those of the route's levels.
public final class HeaderMutationFilter: HTTPFilter, @unchecked Sendable {
  // Sendable: immutable after init.

  private let request: HeaderMutationSteps?
  private let response: HeaderMutationSteps?
  private let mostSpecificWins: Bool

  /// - Parameter mostSpecificWins: `most_specific_header_mutations_wins`: the route's mutations come
  ///   after those of the virtual host and the table. Otherwise the table's come last.
  public init(
    name: String, request: HeaderMutationSteps?, response: HeaderMutationSteps?,
    mostSpecificWins: Bool
  ) {
    self.request = request
    self.response = response
    self.mostSpecificWins = mostSpecificWins
    super.init(name: name, interests: [.decodeHeaders, .encodeHeaders])
  }

  public override func decodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    let headers = context.requestHeaders
    apply(request, context, to: headers)
    context.routeConfigReference(HeaderMutationRouteConfig.self)?._withUnsafeGuaranteedRef {
      applyLevels($0.request.buffer, context, to: headers)
    }
    return .continue
  }

  public override func encodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    let headers = context.responseHeaders
    apply(response, context, to: headers)
    context.routeConfigReference(HeaderMutationRouteConfig.self)?._withUnsafeGuaranteedRef {
      applyLevels($0.response.buffer, context, to: headers)
    }
    return .continue
  }

  private func apply(
    _ steps: HeaderMutationSteps?, _ context: FilterContext,
    to headers: UnsafeMutablePointer<HeaderMap>
  ) {
    steps?.apply(to: headers, arena: context.arena, context: context.formatContext)
  }

  /// - Parameter levels: Most specific first.
  private func applyLevels(
    _ levels: UnsafeMutableBufferPointer<Unmanaged<HeaderMutationSteps>>, _ context: FilterContext,
    to headers: UnsafeMutablePointer<HeaderMap>
  ) {
    for i in levels.indices {
      let level = levels[mostSpecificWins ? levels.count - 1 - i : i]
      level._withUnsafeGuaranteedRef {
        $0.apply(to: headers, arena: context.arena, context: context.formatContext)
      }
    }
  }
}
