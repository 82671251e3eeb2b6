import HTTPCore
import Primitives
import Reactor
import Routing
import Stats

/// Answers preflights and decorates answers for other origins (`envoy.filters.http.cors`, Fetch
/// standard section 3.2). Does nothing on routes without a ``CorsRouteConfig``.
public final class CorsFilter: HTTPFilter, @unchecked Sendable {
  // Sendable: immutable after init.

  let originValid, originInvalid: Counter

  /// - Parameter scope: With the prefix `http.<stat_prefix>.`.
  public init(name: String, scope: StatsScope) {
    originValid = scope.counter("cors.origin_valid")
    originInvalid = scope.counter("cors.origin_invalid")
    super.init(name: name, interests: [.decodeHeaders, .encodeHeaders])
  }

  /// Of a request from another origin, on a route whose policy is in force.
  struct State {
    /// Empty: the origin is not allowed.
    var allowedOrigin: ByteView
  }

  // MARK: Requests

  public override func decodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    guard context.isForwarded, let config = context.routeConfigReference(CorsRouteConfig.self)
    else { return .continue }
    return config._withUnsafeGuaranteedRef { decodeHeaders(context, $0) }
  }

  private func decodeHeaders(_ context: FilterContext, _ config: CorsRouteConfig) -> HeadersStatus {
    let isEnabled = draw(config.filterEnabled, context)
    guard isEnabled || draw(config.shadowEnabled, context) else { return .continue }
    guard let verdict = config.verdict(context.requestHeaders) else { return .continue }
    context.worker.slab.increment(verdict.isAllowed ? originValid : originInvalid)
    guard isEnabled else { return .continue }
    _ = context.state(State.self, initial: State(allowedOrigin: verdict.isAllowed ? verdict.origin : .empty))
    guard let wanted = verdict.wantedMethod else { return .continue }
    answerPreflight(context, config, wantedMethod: wanted)
    return .stop
  }

  private func draw(_ fraction: CorsPolicy.Fraction, _ context: FilterContext) -> Bool {
    if fraction.numerator >= fraction.denominator { return true }
    return fraction.numerator > 0
      && context.random(below: fraction.denominator) < fraction.numerator
  }

  /// Origin, credentials and exposed headers come with the way back through the filters.
  private func answerPreflight(
    _ context: FilterContext, _ config: CorsRouteConfig, wantedMethod: ByteView
  ) {
    let request = context.requestHeaders
    let wantedHeaders = request.pointee.value(.accessControlRequestHeaders) ?? .empty
    let isPrivate =
      config.allowsPrivateNetworkAccess
      && request.pointee.value(.accessControlRequestPrivateNetwork).map { $0 == "true" } ?? false
    let methods = config.allowMethods.view
    let headers = config.allowHeaders.view
    let maxAge = config.maxAge.view
    let allowsCredentials = config.allowsCredentials
    context.respond(status: 200, details: "cors_response") { map in
      if allowsCredentials { map.set(.accessControlAllowCredentials, ByteView("true")) }
      if !methods.isEmpty {
        map.set(.accessControlAllowMethods, methods == "*" ? wantedMethod : methods)
      }
      if !headers.isEmpty {
        map.set(.accessControlAllowHeaders, headers == "*" ? wantedHeaders : headers)
      }
      if !maxAge.isEmpty { map.set(.accessControlMaxAge, maxAge) }
      if isPrivate { map.set(.accessControlAllowPrivateNetwork, ByteView("true")) }
    }
  }

  // MARK: Responses

  public override func encodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    guard let state = context.existingState(State.self), !state.pointee.allowedOrigin.isEmpty,
      let config = context.routeConfigReference(CorsRouteConfig.self)
    else { return .continue }
    let response = context.responseHeaders
    response.pointee.set(.accessControlAllowOrigin, state.pointee.allowedOrigin)
    config._withUnsafeGuaranteedRef { config in
      if config.allowsCredentials {
        response.pointee.set(.accessControlAllowCredentials, ByteView("true"))
      }
      let exposed = config.exposeHeaders.view
      if !exposed.isEmpty { response.pointee.set(.accessControlExposeHeaders, exposed) }
    }
    return .continue
  }
}
