import Format
import HTTPCore
import Primitives
import RegularExpressions

/// What routes may ask of a client's TLS connection.
public struct ClientCertificate: OptionSet, BitwiseCopyable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let presented = ClientCertificate(rawValue: 1 << 0)
  /// Found good, not only tolerated.
  public static let validated = ClientCertificate(rawValue: 1 << 1)
}

/// What a route demands of a request, compiled.
struct RouteCondition: BitwiseCopyable {
  enum PathKind: UInt8 { case prefix, exact, separatedPrefix, regex, connect }

  var pathKind: PathKind
  var isCaseSensitive: Bool
  var isGRPCOnly: Bool
  /// Of ``ClientCertificate``: which bits count, and what they must be.
  var certificateMask: ClientCertificate
  var certificateValue: ClientCertificate
  var path: ByteView
  var regex: RegexHandle?
  var headers: UnsafePointer<HeaderMatcher>
  var headerCount: Int32
  var queryParameterCount: Int32
  var queryParameters: UnsafePointer<QueryParameterMatcher>
  /// Denominator 0: no fraction.
  var fraction: RouteMatchSpec.Fraction

  /// Whether the path alone decides.
  var isPathOnly: Bool {
    headerCount == 0 && queryParameterCount == 0 && !isGRPCOnly && certificateMask.isEmpty
      && fraction.denominator == 0
  }

  /// - Parameter path: Without query and fragment; nil when the request has none.
  func matchesPath(_ path: ByteView?, isConnect: Bool) -> Bool {
    if pathKind == .connect { return isConnect }
    guard let path else { return false }
    switch pathKind {
    case .prefix: return hasPrefix(path)
    case .exact: return path.count == self.path.count && hasPrefix(path)
    case .separatedPrefix:
      return hasPrefix(path)
        && (path.count == self.path.count || path[self.path.count] == UInt8(ascii: "/"))
    case .regex: return regex?.matchesWhole(path) ?? false
    case .connect: return isConnect
    }
  }

  /// The same for a route found by its literal, which the path is known to begin with.
  @inline(__always)
  func matchesRestOfPath(_ path: ByteView) -> Bool {
    switch pathKind {
    case .prefix: true
    case .exact: path.count == self.path.count
    case .separatedPrefix:
      path.count == self.path.count || path.base[self.path.count] == UInt8(ascii: "/")
    case .regex, .connect: false
    }
  }

  private func hasPrefix(_ path: ByteView) -> Bool {
    isCaseSensitive ? path.hasPrefix(self.path) : path.hasPrefixIgnoringCase(self.path)
  }

  /// Everything but the path.
  func matchesRest(
    _ headers: UnsafePointer<HeaderMap>, query: ByteView?, random: UInt64, certificate: ClientCertificate
  ) -> Bool {
    if isPathOnly { return true }
    if certificate.intersection(certificateMask) != certificateValue { return false }
    if fraction.denominator != 0,
      random % UInt64(fraction.denominator) >= UInt64(fraction.numerator)
    {
      return false
    }
    if isGRPCOnly {
      guard let type = headers.pointee.value(.contentType), GRPC.isGRPC(contentType: type) else { return false }
    }
    for i in 0..<Int(headerCount) where !self.headers[i].matches(headers) { return false }
    for i in 0..<Int(queryParameterCount) where !queryParameters[i].matches(query: query) {
      return false
    }
    return true
  }
}
