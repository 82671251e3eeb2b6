import Primitives

/// What a stream without a client has instead of one, in its arena. ``HTTPStream/terminalState`` leads here.
struct InternalExchange {
  let target: InternalRequest.Target
  /// Held while the request lives; nil: nobody wants the response.
  var sink: Unmanaged<ResponseSink>?
  /// The router has it.
  var hasBegun = false
  /// Of a mirror: the stream whose body it gets a copy of, until that is whole.
  var original: HTTPStreamRef?
  /// Of a hedged attempt: the stream whose client waits.
  var client: HTTPStreamRef?
  /// The request's next mirror, or hedged attempt (``InternalStreamList``).
  var next: HTTPStreamRef?
}

typealias InternalExchangeRef = UnsafeMutablePointer<InternalExchange>
