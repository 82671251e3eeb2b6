import HTTPCore
import Primitives

/// What a buffer filter would do with a request: for people who ask.
public enum BufferTrace: Equatable, Sendable {
  /// The route has switched it off.
  case off
  /// An upgrade has no body.
  case upgrade
  /// Waits for all of the body, if there is one.
  case holds(limit: UInt32)
  /// Answers 413: `content-length` says that the body is too large.
  case refuses(length: UInt64, limit: UInt32)
}

extension BufferFilter {
  /// - Parameter own: Settings of the route, if it has any.
  public func trace(_ headers: UnsafePointer<HeaderMap>, own: AnyObject?, isUpgrade: Bool) -> BufferTrace {
    if isUpgrade { return .upgrade }
    var limit: UInt32? = maxRequestBytes
    if let own = own as? BufferRouteConfig { limit = own.maxRequestBytes }
    guard let limit else { return .off }
    if let length = headers.pointee.value(.contentLength)?.decimal(), length > UInt64(limit) {
      return .refuses(length: length, limit: limit)
    }
    return .holds(limit: limit)
  }
}
