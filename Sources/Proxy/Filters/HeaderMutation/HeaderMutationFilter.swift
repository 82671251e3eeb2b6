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
    let arena = context.arena
    let format = context.formatContext
    request?.apply(to: headers, arena: arena, context: format)
    context.routeConfigReference(HeaderMutationRouteConfig.self)?._withUnsafeGuaranteedRef {
      applyLevels($0.request.buffer, to: headers, arena, format)
    }
    return .continue
  }

  /// Changes a request as above: for people who ask what becomes of it.
  ///
  /// - Parameter own: Settings of the route, if it has any.
  public func mutate(
    _ headers: UnsafeMutablePointer<HeaderMap>, own: AnyObject?, arena: UnsafeMutablePointer<Arena>, context: FormatContext
  ) {
    request?.apply(to: headers, arena: arena, context: context)
    if let own = own as? HeaderMutationRouteConfig { applyLevels(own.request.buffer, to: headers, arena, context) }
  }

  public override func encodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    let headers = context.responseHeaders
    let arena = context.arena
    let format = context.formatContext
    response?.apply(to: headers, arena: arena, context: format)
    context.routeConfigReference(HeaderMutationRouteConfig.self)?._withUnsafeGuaranteedRef {
      applyLevels($0.response.buffer, to: headers, arena, format)
    }
    return .continue
  }

  /// - Parameter levels: Most specific first.
  private func applyLevels(
    _ levels: UnsafeMutableBufferPointer<Unmanaged<HeaderMutationSteps>>, to headers: UnsafeMutablePointer<HeaderMap>,
    _ arena: UnsafeMutablePointer<Arena>, _ context: FormatContext
  ) {
    for i in levels.indices {
      levels[mostSpecificWins ? levels.count - 1 - i : i]._withUnsafeGuaranteedRef {
        $0.apply(to: headers, arena: arena, context: context)
      }
    }
  }
}
