import HTTPCore
import Primitives
import Routing

/// Hashes of requests, by their routes' policies.
extension Worker {
  /// Nil when no policy gives one. Cookies that it makes are set by the response (``setCookies(_:)``).
  func requestHash(_ stream: HTTPStreamRef) -> UInt64? {
    guard let policies = routePolicies(stream)?.pointee.hash else { return nil }
    let connection = stream.pointee.connection
    let client = HashedClient(
      address: stream.pointee.info.downstreamRemote.ip, remote: clientEndpoint(connection),
      local: localEndpoint(connection))
    let hash = policies.hash(requestMap(stream), client, arena: &stream.pointee.arena)
    stream.pointee.route.cookies = hash.cookies
    return hash.isSet ? hash.value : nil
  }

  /// What the request's hash is made of goes to the client, which brings it back.
  func setCookies(_ stream: HTTPStreamRef) {
    append(stream, stream.pointee.route.cookies)
  }

  /// As many as the route has policies at most.
  private func append(_ stream: HTTPStreamRef, _ cookie: UnsafePointer<NewCookie>?) {
    guard let cookie else { return }
    append(stream, cookie.pointee.next)
    stream.pointee.response.append(.setCookie, cookie.pointee.value)
  }
}
