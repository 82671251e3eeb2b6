import HTTPCore
import Primitives
import Reactor
import Stats

/// Waits for the whole request before anything of it goes on (`envoy.filters.http.buffer`).
///
/// A request that is larger than the limit is answered with 413. One that came in chunks goes on with
/// its length. A request with trailers keeps its chunks: trailers have no other place to be. An upgrade passes: it has
/// no body.
public final class BufferFilter: HTTPFilter, @unchecked Sendable {
  // Sendable: immutable after init.

  let maxRequestBytes: UInt32

  /// - Parameter maxRequestBytes: The largest body that passes, in bytes.
  public init(name: String, maxRequestBytes: UInt32) {
    self.maxRequestBytes = maxRequestBytes
    super.init(name: name, interests: [.decodeHeaders, .decodeData, .decodeTrailers])
  }

  public override func decodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    if endsStream || context.isUpgrade { return .continue }
    var limit: UInt32? = maxRequestBytes
    if let own = context.routeConfigReference(BufferRouteConfig.self) {
      limit = own._withUnsafeGuaranteedRef { $0.maxRequestBytes }
    }
    guard let limit else { return .continue }
    context.setRequestBufferLimit(bytes: Int(limit))
    if let length = context.stream.pointee.request.value(.contentLength)?.decimal(),
      length > UInt64(limit)
    {
      // No need to wait for bytes that cannot pass.
      context.rejectAsTooLarge()
    }
    return .stop
  }

  public override func decodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    guard let limit = context.stream.pointee.requestBufferLimitBytes else { return .continue }
    let total = context.bufferedRequestBytes &+ data.byteCount
    if total > limit {
      context.rejectAsTooLarge()
      return .continue
    }
    guard endsStream else { return .stopAndBuffer }
    context.stream.pointee.request.remove(.transferEncoding)
    context.stream.pointee.request.set(
      .contentLength, context.stream.pointee.request.decimal(UInt64(total)))
    return .continue
  }
}
