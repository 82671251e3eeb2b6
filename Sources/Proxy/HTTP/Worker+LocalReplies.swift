import Format
import HTTPCore
import Primitives

extension Worker {
  /// What formats and header mutations of this stream may refer to.
  func formatContext(_ stream: HTTPStreamRef) -> FormatContext {
    let place = UnsafeMutableRawPointer(stream)
    func map(_ offset: Int) -> UnsafePointer<HeaderMap> {
      UnsafePointer(place.advanced(by: offset).assumingMemoryBound(to: HeaderMap.self))
    }
    return FormatContext(
      stream: UnsafePointer(
        place.advanced(by: Self.infoOffset).assumingMemoryBound(to: StreamInfo.self)),
      requestHeaders: map(Self.requestOffset), responseHeaders: map(Self.responseOffset),
      responseTrailers: map(Self.trailersOffset), timeCache: http.timeCache, random: formatRandom)
  }

  func requestMap(_ stream: HTTPStreamRef) -> UnsafeMutablePointer<HeaderMap> {
    UnsafeMutableRawPointer(stream).advanced(by: Self.requestOffset)
      .assumingMemoryBound(to: HeaderMap.self)
  }

  func responseMap(_ stream: HTTPStreamRef) -> UnsafeMutablePointer<HeaderMap> {
    UnsafeMutableRawPointer(stream).advanced(by: Self.responseOffset)
      .assumingMemoryBound(to: HeaderMap.self)
  }

  func requestTrailerMap(_ stream: HTTPStreamRef) -> UnsafeMutablePointer<HeaderMap> {
    UnsafeMutableRawPointer(stream).advanced(by: Self.requestTrailersOffset)
      .assumingMemoryBound(to: HeaderMap.self)
  }

  func responseTrailerMap(_ stream: HTTPStreamRef) -> UnsafeMutablePointer<HeaderMap> {
    UnsafeMutableRawPointer(stream).advanced(by: Self.trailersOffset)
      .assumingMemoryBound(to: HeaderMap.self)
  }

  func arena(_ stream: HTTPStreamRef) -> UnsafeMutablePointer<Arena> {
    stream.pointee.response.arenaPointer
  }

  /// Applies `local_reply_config` to a reply: the body to send.
  func applyLocalReplies(_ config: LocalReplyConfig, _ stream: HTTPStreamRef, _ body: ByteView)
    -> ByteView
  {
    var body = body
    var format = config.bodyFormat
    var contentType = config.contentType
    let info = UnsafePointer(
      UnsafeMutableRawPointer(stream).advanced(by: Self.infoOffset)
        .assumingMemoryBound(to: StreamInfo.self))
    stream.pointee.info.end = now
    let stable = RequestID.stableRandom(stream.pointee.request.value(.xRequestID))
    for mapper in config.mappers
    where mapper.filter.accepts(
      info, request: requestMap(stream), stableRandom: stable, random: &random)
    {
      if let status = mapper.status {
        stream.pointee.info.responseCode = status
        stream.pointee.response.set(.status, stream.pointee.response.decimal(UInt64(status)))
      }
      if let text = mapper.body {
        body = stream.pointee.arena.copy(text.view)
        stream.pointee.info.localReplyBody = body
      }
      if let headers = mapper.headers {
        headers.program.apply(
          to: responseMap(stream), arena: arena(stream), context: formatContext(stream))
      }
      if let own = mapper.bodyFormat {
        format = own
        contentType = mapper.contentType
      }
      break
    }
    if let format {
      body = format.program.format(context: formatContext(stream), arena: &stream.pointee.arena)
      stream.pointee.response.set(.contentType, contentType?.view ?? ByteView("text/plain"))
    } else if !body.isEmpty, !stream.pointee.response.contains(.contentType) {
      stream.pointee.response.append(.contentType, ByteView("text/plain"))
    }
    return body
  }
}
