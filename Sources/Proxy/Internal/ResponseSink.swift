import HTTPCore
import Primitives

/// Takes the responses of internal requests. All calls come from the worker's loop: none while
/// ``Worker/startRequest(_:body:ends:sink:head:)`` or ``Worker/cancel(_:)`` runs.
///
/// Of a request that is answered: ``head(_:_:status:headers:ends:)`` once, ``data(_:_:_:)`` any number of times, perhaps
/// ``trailers(_:_:_:)``, then ``ended(_:_:_:)`` without a failure. Whatever goes wrong, before the head or after, is the
/// `failure` of ``ended(_:_:_:)``, which is the last call and always comes, except after ``Worker/cancel(_:)``. Any of
/// them may start, send to and cancel requests. The worker holds the sink until the request is over.
open class ResponseSink {
  public init() {}

  /// - Parameters:
  ///   - headers: Names in lower case. Valid during the call.
  ///   - ends: There is no body.
  open func head(
    _ worker: Worker, _ request: InternalRequest, status: UInt16, headers: HeaderMap, ends: Bool
  ) {}

  /// A piece of the body, at least one byte. Valid during the call.
  open func data(_ worker: Worker, _ request: InternalRequest, _ bytes: ByteView) {}

  /// Valid during the call.
  open func trailers(_ worker: Worker, _ request: InternalRequest, _ trailers: HeaderMap) {}

  /// There is room again for a body of which ``Worker/send(_:to:ends:)`` took the last piece reluctantly.
  open func writable(_ worker: Worker, _ request: InternalRequest) {}

  /// The request is over: nothing of it is left in the worker.
  ///
  /// - Parameter failure: Nil when the response is whole.
  open func ended(_ worker: Worker, _ request: InternalRequest, _ failure: InternalRequest.Failure?) {}
}
