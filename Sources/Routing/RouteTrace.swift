import HTTPCore
import Primitives

/// The first thing that a route wants of a request and does not find, in the order in which they are looked at.
public enum RouteMismatch: Equatable, Sendable {
  case path
  /// `tls_context`
  case certificate
  /// `runtime_fraction`: the request's random value is not within it.
  case fraction(RouteMatchSpec.Fraction)
  /// `grpc`
  case grpc
  /// Index into `headers`.
  case header(Int)
  /// Index into `query_parameters`.
  case queryParameter(Int)

  public static func == (a: RouteMismatch, b: RouteMismatch) -> Bool {
    switch (a, b) {
    case (.path, .path), (.certificate, .certificate), (.grpc, .grpc): true
    case (.fraction(let a), .fraction(let b)): a.numerator == b.numerator && a.denominator == b.denominator
    case (.header(let a), .header(let b)), (.queryParameter(let a), .queryParameter(let b)): a == b
    default: false
    }
  }
}

/// The same conditions as on the request path, one at a time: for people who ask why.
extension RouteLookup {
  /// Numbers of a virtual host's routes, in order.
  public func routes(ofVirtualHost index: Int32) -> Range<Int32> { virtualHost(index).pointee.index.range }

  /// Why a route does not take a request; nil: it would, if none before it does.
  ///
  /// - Parameter path: `:path` with query; nil when the request has none (CONNECT).
  public func mismatch(
    route index: Int32, path: ByteView?, headers: UnsafePointer<HeaderMap>, random: UInt64,
    certificate: ClientCertificate = []
  ) -> RouteMismatch? {
    precondition(index >= 0 && index < routeCount)
    let condition = conditions + Int(index)
    let parts = path?.splitTarget
    let isConnect = headers.pointee.value(.method).map { $0 == "CONNECT" } ?? false
    guard condition.pointee.matchesPath(parts?.path ?? path, isConnect: isConnect) else { return .path }
    return condition.pointee.mismatch(headers, query: parts?.query, random: random, certificate: certificate)
  }
}

extension RouteCondition {
  /// ``matchesRest(_:query:random:certificate:)``, with a reason.
  fileprivate func mismatch(
    _ headers: UnsafePointer<HeaderMap>, query: ByteView?, random: UInt64, certificate: ClientCertificate
  ) -> RouteMismatch? {
    if certificate.intersection(certificateMask) != certificateValue { return .certificate }
    if fraction.denominator != 0, random % UInt64(fraction.denominator) >= UInt64(fraction.numerator) {
      return .fraction(fraction)
    }
    if isGRPCOnly {
      guard let type = headers.pointee.value(.contentType), GRPC.isGRPC(contentType: type) else { return .grpc }
    }
    for i in 0..<Int(headerCount) where !self.headers[i].matches(headers) { return .header(i) }
    for i in 0..<Int(queryParameterCount) where !queryParameters[i].matches(query: query) { return .queryParameter(i) }
    return nil
  }
}
