import HTTPCore
import Primitives
import Reactor

/// Lets browsers call gRPC services (`envoy.filters.http.grpc_web`): what they cannot see or send, trailers and bytes, comes
/// within the body, and as Base64 when they ask for text.
public final class GRPCWebFilter: HTTPFilter, @unchecked Sendable {
  // Sendable: immutable after init.

  private struct State {
    var sendsText: Bool
    var wantsText: Bool
    /// The response is no answer of a gRPC service: it becomes one.
    var replaces = false
    var decoder = GRPCWebTextDecoder()
    var encoder = GRPCWebTextEncoder()
  }

  public init(name: String) {
    super.init(
      name: name,
      interests: [.decodeHeaders, .decodeData, .decodeTrailers, .encodeHeaders, .encodeData, .encodeTrailers])
  }

  private func state(_ context: FilterContext) -> UnsafeMutablePointer<State>? {
    context.existingState(State.self)
  }

  // MARK: Requests

  public override func decodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    let type = context.requestContentType
    let sendsText = Self.isText(type)
    guard sendsText || Self.isBinary(type) else { return .continue }
    let request = context.requestHeaders
    let wantsText = Self.isText(request.pointee.value(.accept) ?? .empty)
    _ = context.state(State.self, initial: State(sendsText: sendsText, wantsText: wantsText))
    // The length of what the client sends is not that of what the upstream gets.
    if !endsStream { request.pointee.remove(.contentLength) }
    request.pointee.set(.contentType, ByteView("application/grpc"))
    request.pointee.set(.te, ByteView("trailers"))
    if !request.pointee.contains(.grpcAcceptEncoding) {
      request.pointee.append(.grpcAcceptEncoding, ByteView("identity"))
    }
    return .continue
  }

  public override func decodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    guard let state = state(context), state.pointee.sendsText else { return .continue }
    guard state.pointee.decoder.decode(&data, context.worker.segments) else {
      refuse(context, "grpc_base_64_decode_failed")
      return .continue
    }
    if endsStream, state.pointee.decoder.isWithinQuad { refuse(context, "grpc_base_64_decode_failed_bad_size") }
    return .continue
  }

  public override func decodeTrailers(_ context: FilterContext) -> TrailersStatus {
    if let state = state(context), state.pointee.decoder.isWithinQuad {
      refuse(context, "grpc_base_64_decode_failed_bad_size")
    }
    return .continue
  }

  private func refuse(_ context: FilterContext, _ details: StaticString) {
    context.sendLocalReply(
      status: 400, body: ByteView("Bad gRPC-web request, invalid base64 data."), details: details)
  }

  // MARK: Responses

  public override func encodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    guard let state = state(context) else { return .continue }
    let response = context.responseHeaders
    let type = context.responseContentType
    let isGRPC =
      endsStream && response.pointee.contains(.grpcStatus)
      || response.pointee.status == 200 && GRPC.isGRPC(contentType: type)
    guard isGRPC || Self.isBinary(type) else {
      state.pointee.replaces = true
      if endsStream {
        replace(context, message: .empty)
        return .continue
      }
      return .stop
    }
    if !endsStream { response.pointee.remove(.contentLength) }
    response.pointee.set(
      .contentType,
      state.pointee.wantsText
        ? ByteView("application/grpc-web-text+proto") : ByteView("application/grpc-web+proto"))
    return .continue
  }

  public override func encodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    guard let state = state(context) else { return .continue }
    if state.pointee.replaces {
      keepMessage(context, &data)
      guard endsStream else { return .stopAndBuffer }
      replace(context, message: takeMessage(context, &data))
      return .continue
    }
    if state.pointee.wantsText { state.pointee.encoder.encode(&data, endsStream: endsStream, context.worker.segments) }
    return .continue
  }

  public override func encodeTrailers(_ context: FilterContext) -> TrailersStatus {
    guard let state = state(context) else { return .continue }
    let trailers = context.responseTrailers
    if state.pointee.replaces {
      var none = SegmentQueue()
      replace(context, message: takeMessage(context, &none))
    } else {
      if state.pointee.wantsText {
        // A message that broke off.
        var rest = SegmentQueue()
        state.pointee.encoder.encode(&rest, endsStream: true, context.worker.segments)
        context.addResponseData(&rest)
      }
      addFrame(of: trailers.pointee, context, asText: state.pointee.wantsText)
    }
    trailers.pointee = HeaderMap(unallocatedIn: context.arena)
    return .continue
  }

  /// The trailers as a frame of the body: lines of `name:value`.
  private func addFrame(of trailers: HeaderMap, _ context: FilterContext, asText: Bool) {
    var count = 0
    for i in 0..<trailers.slotCount where !trailers[slot: i].isRemoved {
      count += trailers[slot: i].name.count + trailers[slot: i].value.count + 3
    }
    let frame = context.allocate(GRPCFrame.headBytes + count)
    GRPCFrame.write(flags: GRPCFrame.trailersFlag, count: count, to: frame)
    var at = GRPCFrame.headBytes
    func put(_ bytes: ByteView) {
      (frame + at).update(from: bytes.base, count: bytes.count)
      at += bytes.count
    }
    for i in 0..<trailers.slotCount where !trailers[slot: i].isRemoved {
      put(trailers[slot: i].name)
      put(ByteView(":"))
      put(trailers[slot: i].value)
      put(ByteView("\r\n"))
    }
    let bytes = ByteView(frame, at)
    guard asText else {
      context.addResponseData(bytes)
      return
    }
    let text = context.allocate(Base64.encodedCount(at))
    context.addResponseData(ByteView(text, Base64.encode(bytes, to: text)))
  }

  // MARK: Answers that are not gRPC's

  /// So much of a body becomes the message.
  private static let messageBytesMax = 16_384

  /// Drops what does not fit into the message.
  private func keepMessage(_ context: FilterContext, _ data: inout SegmentQueue) {
    let room = Self.messageBytesMax - context.bufferedResponseBytes
    guard data.byteCount > room else { return }
    var kept = context.take(max(0, room), from: &data)
    context.discard(&data)
    data.append(&kept)
  }

  /// What was held back as one text; `data` are empty then.
  private func takeMessage(_ context: FilterContext, _ data: inout SegmentQueue) -> ByteView {
    context.takeHeldResponse(before: &data)
    let count = data.byteCount
    let text = context.allocate(max(1, count))
    var at = 0
    var next = data.head
    while let segment = next {
      (text + at).update(from: segment.pointee.base, count: segment.pointee.count)
      at += segment.pointee.count
      next = segment.pointee.next
    }
    context.discard(&data)
    return ByteView(text, at)
  }

  private func replace(_ context: FilterContext, message: ByteView) {
    let response = context.responseHeaders
    let status = GRPCStatus(httpStatus: response.pointee.status)
    response.pointee.set(.grpcStatus, response.pointee.decimal(UInt64(status.code)))
    if !message.isEmpty {
      response.pointee.set(.grpcMessage, GRPCMessage.encoded(message, arena: &context.arena.pointee))
    }
    response.pointee.set(.contentLength, ByteView("0"))
  }

  /// Whether requests with this content type are gRPC-Web.
  public static func takes(contentType: ByteView) -> Bool { isText(contentType) || isBinary(contentType) }

  private static func isBinary(_ type: ByteView) -> Bool {
    type == "application/grpc-web" || type == "application/grpc-web+proto"
  }

  private static func isText(_ type: ByteView) -> Bool {
    type == "application/grpc-web-text" || type == "application/grpc-web-text+proto"
  }
}
