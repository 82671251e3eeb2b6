import HTTPCore
import Primitives
import Reactor

/// Lets clients that speak HTTP/1, and so see no trailers, call unary methods (`envoy.filters.http.grpc_http1_bridge`): the
/// status of a call comes in the response's head.
public final class GRPCHTTP1BridgeFilter: HTTPFilter, @unchecked Sendable {
  // Sendable: immutable after init.

  private struct State {
    /// The client sends and wants a message without the five bytes in front.
    var isBare: Bool
  }

  private let upgradesProtobuf: Bool
  private let ignoresQuery: Bool

  /// - Parameters:
  ///   - upgradesProtobuf: Requests with a protobuf message as they are become calls.
  ///   - ignoresQuery: The query of the path does not reach the upstream.
  public init(name: String, upgradesProtobuf: Bool, ignoresQuery: Bool) {
    self.upgradesProtobuf = upgradesProtobuf
    self.ignoresQuery = ignoresQuery
    super.init(
      name: name,
      interests: [.decodeHeaders, .decodeData, .decodeTrailers, .encodeHeaders, .encodeData, .encodeTrailers])
  }

  /// Whether requests with this content type are calls.
  public func takes(contentType: ByteView) -> Bool { isBare(contentType: contentType) || GRPC.isGRPC(contentType: contentType) }

  private func isBare(contentType: ByteView) -> Bool { upgradesProtobuf && contentType == "application/x-protobuf" }

  // MARK: Requests

  public override func decodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    guard context.downstreamVersion != .http2 else { return .continue }
    let request = context.requestHeaders
    let type = context.requestContentType
    guard takes(contentType: type) else { return .continue }
    let isBare = isBare(contentType: type)
    _ = context.state(State.self, initial: State(isBare: isBare))
    if ignoresQuery, let path = request.pointee.value(.path), let query = path.firstIndex(of: UInt8(ascii: "?")) {
      request.pointee.set(.path, path.prefix(query))
    }
    request.pointee.set(.te, ByteView("trailers"))
    guard isBare else { return .continue }
    request.pointee.set(.contentType, ByteView("application/grpc"))
    guard endsStream else { return .stop }
    // A message of no bytes.
    request.pointee.set(.contentLength, request.pointee.decimal(UInt64(GRPCFrame.headBytes)))
    context.addRequestData(context.grpcHead(count: 0))
    return .continue
  }

  public override func decodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    guard isBare(context) else { return .continue }
    guard endsStream else { return .stopAndBuffer }
    wrap(context, &data)
    return .continue
  }

  public override func decodeTrailers(_ context: FilterContext) -> TrailersStatus {
    guard isBare(context) else { return .continue }
    var none = SegmentQueue()
    wrap(context, &none)
    context.addRequestData(&none)
    return .continue
  }

  /// Everything that came, as one message.
  private func wrap(_ context: FilterContext, _ data: inout SegmentQueue) {
    context.takeHeldRequest(before: &data)
    let request = context.requestHeaders
    let count = data.byteCount
    request.pointee.set(.contentLength, request.pointee.decimal(UInt64(count + GRPCFrame.headBytes)))
    context.prepend(context.grpcHead(count: count), to: &data)
  }

  private func isBare(_ context: FilterContext) -> Bool {
    context.existingState(State.self)?.pointee.isBare ?? false
  }

  // MARK: Responses

  public override func encodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    guard context.existingState(State.self) != nil, !endsStream, !context.isLocalReply else { return .continue }
    return .stop
  }

  public override func encodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    guard context.existingState(State.self) != nil, !context.isLocalReply else { return .continue }
    guard endsStream else { return .stopAndBuffer }
    context.takeHeldResponse(before: &data)
    unwrap(context, &data)
    return .continue
  }

  public override func encodeTrailers(_ context: FilterContext) -> TrailersStatus {
    guard context.existingState(State.self) != nil else { return .continue }
    let trailers = context.responseTrailers
    let response = context.responseHeaders
    if let status = trailers.pointee.value(.grpcStatus) {
      if status.decimal(limit: UInt64(UInt32.max)) != 0 {
        response.pointee.set(.status, ByteView("503"))
      }
      response.pointee.set(.grpcStatus, status)
    }
    if let message = trailers.pointee.value(.grpcMessage) { response.pointee.set(.grpcMessage, message) }
    var data = SegmentQueue()
    context.takeHeldResponse(before: &data)
    unwrap(context, &data)
    context.addResponseData(&data)
    return .continue
  }

  /// All of the response is here: its length is known.
  private func unwrap(_ context: FilterContext, _ data: inout SegmentQueue) {
    let response = context.responseHeaders
    if isBare(context) { context.drop(GRPCFrame.headBytes, from: &data) }
    response.pointee.set(.contentLength, response.pointee.decimal(UInt64(data.byteCount)))
  }
}
