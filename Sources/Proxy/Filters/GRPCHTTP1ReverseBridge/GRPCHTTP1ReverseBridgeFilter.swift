import HTTPCore
import Primitives
import Reactor

/// Lets gRPC clients call services that know nothing of gRPC (`envoy.filters.http.grpc_http1_reverse_bridge`): messages go
/// as plain bodies, and the status of the response becomes that of the call.
public final class GRPCHTTP1ReverseBridgeFilter: HTTPFilter, @unchecked Sendable {
  // Sendable: immutable after init.

  private struct State {
    var contentType: ByteView
    /// The five bytes in front of the request's message are gone.
    var isStripped: Bool
    /// The response is translated.
    var translates = false
    var status = GRPCStatus.ok
    /// What the upstream says its message is long; nil: it does not.
    var announced: UInt64?
    var sent: UInt64 = 0
    var headSent = false
  }

  private let contentType: FrozenText
  private let withholdsFrames: Bool
  private let sizeHeader: FrozenText?
  private let sizeHeaderKnown: KnownHeader

  /// - Parameters:
  ///   - contentType: Of requests to the upstream, and of its answers.
  ///   - withholdsFrames: The upstream sees and sends messages without the five bytes in front.
  ///   - sizeHeader: The response header that says how long the message is: nothing has to be held back then.
  public init(name: String, contentType: String, withholdsFrames: Bool, sizeHeader: String?) {
    self.contentType = FrozenText(contentType)
    self.withholdsFrames = withholdsFrames
    let lower = sizeHeader.map { FrozenText($0.lowercased()) }
    self.sizeHeader = lower
    self.sizeHeaderKnown = lower.map { KnownHeaderTable.shared.find($0.view) } ?? .other
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
    guard !endsStream, GRPC.isGRPC(contentType: type) else { return .continue }
    _ = context.state(State.self, initial: State(contentType: type, isStripped: !withholdsFrames))
    let request = context.requestHeaders
    request.pointee.set(.contentType, contentType.view)
    request.pointee.set(.accept, contentType.view)
    if withholdsFrames, let length = request.pointee.value(.contentLength)?.decimal(),
      length >= UInt64(GRPCFrame.headBytes)
    {
      request.pointee.set(.contentLength, request.pointee.decimal(length - UInt64(GRPCFrame.headBytes)))
    }
    context.rechooseRoute()
    return .continue
  }

  public override func decodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    guard let state = state(context), !state.pointee.isStripped else { return .continue }
    context.takeHeldRequest(before: &data)
    guard data.byteCount >= GRPCFrame.headBytes else {
      if endsStream { refuse(context) }
      return .stopAndBuffer
    }
    context.drop(GRPCFrame.headBytes, from: &data)
    state.pointee.isStripped = true
    return .continue
  }

  public override func decodeTrailers(_ context: FilterContext) -> TrailersStatus {
    guard let state = state(context), !state.pointee.isStripped else { return .continue }
    refuse(context)
    return .continue
  }

  private func refuse(_ context: FilterContext) {
    context.sendLocalReply(
      status: 200, body: ByteView("invalid request body"), details: "grpc_bridge_data_too_small",
      grpcStatus: .unknown)
  }

  // MARK: Responses

  public override func encodeHeaders(_ context: FilterContext, endsStream: Bool) -> HeadersStatus {
    guard let state = state(context), !context.isLocalReply else { return .continue }
    let response = context.responseHeaders
    guard response.pointee.value(.contentType) == contentType.view else {
      context.sendLocalReply(
        status: 200, body: wrongTypeMessage(context), details: "grpc_bridge_content_type_wrong", grpcStatus: .unknown)
      return .stop
    }
    state.pointee.translates = true
    response.pointee.set(.contentType, state.pointee.contentType)
    if withholdsFrames {
      if let sizeHeader {
        guard let size = response.pointee.value(name: sizeHeader.view, known: sizeHeaderKnown)?
          .decimal(limit: UInt64(UInt32.max))
        else {
          context.sendLocalReply(
            status: 200, body: ByteView("envoy reverse bridge: upstream did not set content length"),
            details: "grpc_bridge_content_length_missing", grpcStatus: .internal)
          return .stop
        }
        state.pointee.announced = size
      }
      if let length = response.pointee.value(.contentLength)?.decimal() {
        response.pointee.set(.contentLength, response.pointee.decimal(length &+ UInt64(GRPCFrame.headBytes)))
      }
    }
    let code = response.pointee.status
    state.pointee.status = code == 200 ? .ok : GRPCStatus(httpStatus: code)
    response.pointee.set(.status, ByteView("200"))
    if endsStream {
      if withholdsFrames {
        // A message of no bytes.
        response.pointee.remove(.contentLength)
        context.addResponseData(context.grpcHead(count: 0))
      }
      endWithStatus(context, state.pointee.status)
    }
    return .continue
  }

  public override func encodeData(
    _ context: FilterContext, _ data: inout SegmentQueue, endsStream: Bool
  ) -> DataStatus {
    guard let state = state(context), state.pointee.translates, !context.isLocalReply else { return .continue }
    guard withholdsFrames else {
      if endsStream { endWithStatus(context, state.pointee.status) }
      return .continue
    }
    if state.pointee.announced == nil, !endsStream { return .stopAndBuffer }
    guard frame(context, state, &data, isLast: endsStream) else { return .continue }
    if endsStream { endWithStatus(context, state.pointee.status) }
    return .continue
  }

  public override func encodeTrailers(_ context: FilterContext) -> TrailersStatus {
    guard let state = state(context), state.pointee.translates, !context.isLocalReply else { return .continue }
    if withholdsFrames {
      var rest = SegmentQueue()
      guard frame(context, state, &rest, isLast: true) else { return .continue }
      context.addResponseData(&rest)
    }
    let trailers = context.responseTrailers
    trailers.pointee.set(.grpcStatus, trailers.pointee.decimal(UInt64(state.pointee.status.code)))
    return .continue
  }

  /// Puts the five bytes in front of the message.
  ///
  /// - Returns: False when the upstream's announcement was wrong, which ends the stream.
  private func frame(
    _ context: FilterContext, _ state: UnsafeMutablePointer<State>, _ data: inout SegmentQueue, isLast: Bool
  ) -> Bool {
    if state.pointee.announced == nil { context.takeHeldResponse(before: &data) }
    state.pointee.sent &+= UInt64(data.byteCount)
    let length = state.pointee.announced ?? UInt64(data.byteCount)
    if state.pointee.sent > length || isLast && state.pointee.sent != length {
      context.sendLocalReply(
        status: 200, body: ByteView("envoy reverse bridge: upstream set incorrect content length"),
        details: "grpc_bridge_content_length_wrong", grpcStatus: .internal)
      return false
    }
    if !state.pointee.headSent {
      state.pointee.headSent = true
      context.prepend(context.grpcHead(count: Int(length)), to: &data)
    }
    return true
  }

  private func endWithStatus(_ context: FilterContext, _ status: GRPCStatus) {
    context.endWithTrailers { trailers in
      trailers.set(.grpcStatus, trailers.decimal(UInt64(status.code)))
    }
  }

  private func wrongTypeMessage(_ context: FilterContext) -> ByteView {
    let response = context.responseHeaders
    let type = response.pointee.value(.contentType)
    let prefix = ByteView("envoy reverse bridge: upstream responded with ")
    var text = ArenaText(context.stream, capacity: prefix.count + (type?.count ?? 0) + 64)
    text.put(prefix)
    if let type {
      text.put(ByteView("unsupported content-type "))
      text.put(type)
    } else {
      text.put(ByteView("no content-type header"))
    }
    text.put(ByteView(", status code "))
    text.put(response.pointee.decimal(UInt64(response.pointee.status)))
    return text.view
  }
}
