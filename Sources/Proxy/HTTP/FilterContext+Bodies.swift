import HTTPCore
import Primitives
import Reactor

/// What a filter can do to the bodies and trailers of its stream.
extension FilterContext {
  // MARK: Trailers, by the place that they stay at

  public var requestTrailers: UnsafeMutablePointer<HeaderMap> { worker.requestTrailerMap(stream) }
  /// A filter that removes all of them lets the response end with its last data.
  public var responseTrailers: UnsafeMutablePointer<HeaderMap> { worker.responseTrailerMap(stream) }

  /// Gives trailers to a response that ends: within `encodeHeaders` or `encodeData` with `endsStream`. Later filters see
  /// them as if they had come.
  public func endWithTrailers(_ fill: (inout HeaderMap) -> Void) {
    fill(&stream.pointee.responseTrailers)
    stream.pointee.flags.insert(.hasResponseTrailers)
    stream.pointee.encoding.noteMade(trailers: true)
  }

  // MARK: Data that the filter adds

  /// Adds data to a response: within `encodeTrailers` they go ahead of the trailers; within `encodeHeaders` with
  /// `endsStream` they are the body, and the response ends behind them or with ``endWithTrailers(_:)``.
  public func addResponseData(_ data: inout SegmentQueue) {
    stream.pointee.encoding.hold(
      &data, at: index, filterCount: filterCount, arena: arena, segments: worker.segments)
    if !stream.pointee.has(.hasResponseTrailers) { stream.pointee.encoding.noteMade(trailers: false) }
  }

  /// The same for a request: within `decodeTrailers`, or within `decodeHeaders` with `endsStream`.
  public func addRequestData(_ data: inout SegmentQueue) {
    stream.pointee.decoding.hold(
      &data, at: index, filterCount: filterCount, arena: arena, segments: worker.segments)
    if !stream.pointee.has(.hasRequestTrailers) { stream.pointee.decoding.noteMade(trailers: false) }
  }

  public func addRequestData(_ bytes: ByteView) {
    var data = makeData(bytes)
    addRequestData(&data)
  }

  public func addResponseData(_ bytes: ByteView) {
    var data = makeData(bytes)
    addResponseData(&data)
  }

  // MARK: Data that the filter holds back

  /// Takes what this filter has held back of the request, ahead of `data`. Whether it has stopped stays as it is.
  public func takeHeldRequest(before data: inout SegmentQueue) {
    var held = stream.pointee.decoding.takeHeld(at: index)
    held.append(&data)
    data = held
  }

  public func takeHeldResponse(before data: inout SegmentQueue) {
    var held = stream.pointee.encoding.takeHeld(at: index)
    held.append(&data)
    data = held
  }

  // MARK: Pieces

  /// A copy of `bytes` as a body.
  public func makeData(_ bytes: ByteView) -> SegmentQueue {
    var data = SegmentQueue()
    worker.segments.copy(bytes, to: &data)
    return data
  }

  /// A copy of `bytes` in front of `data`.
  public func prepend(_ bytes: ByteView, to data: inout SegmentQueue) {
    var all = makeData(bytes)
    all.append(&data)
    data = all
  }

  /// The first `count` bytes, or as many as there are.
  public func take(_ count: Int, from data: inout SegmentQueue) -> SegmentQueue {
    worker.segments.take(count, from: &data)
  }

  public func drop(_ count: Int, from data: inout SegmentQueue) {
    worker.segments.drop(count, from: &data)
  }

  private var filterCount: Int { stream.pointee.filters.pointee.count }

  // MARK: The exchange

  /// What the client speaks.
  public var downstreamVersion: StreamInfo.ProtocolVersion { stream.pointee.info.version }

  /// The request asks to leave HTTP and may: its body is whatever the client says, and need not end.
  public var isUpgrade: Bool { stream.pointee.has(.isUpgrade) }

  /// The request came as one of gRPC.
  public var isGRPC: Bool { stream.pointee.has(.isGRPC) }

  /// The response is the proxy's own.
  public var isLocalReply: Bool { stream.pointee.has(.isLocalReply) }

  /// The cluster that the route leads to; nil when it leads to none.
  public var cluster: UnsafeMutablePointer<ClusterConfig>? { worker.routeCluster(stream) }

  /// Finds the route again, after changes to what routes are chosen by.
  public func rechooseRoute() {
    let filterBase = stream.pointee.route.filterBase
    stream.pointee.route = RouteChoice()
    stream.pointee.route.filterBase = filterBase
    worker.chooseRoute(stream)
  }
}
