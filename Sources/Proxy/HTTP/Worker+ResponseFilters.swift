import HTTPCore
import Primitives
import Reactor
import Stats

/// Walks a response through the filters of its chain, last to first, and on to the client.
extension Worker {
  // MARK: Headers

  /// Response headers from the upstream or from the proxy itself.
  func encodeHeaders(_ stream: HTTPStreamRef, endsStream: Bool) {
    stream.pointee.flags.insert(.responseStarted)
    let count = stream.pointee.filters.pointee.count
    encodeHeaders(
      stream, from: stream.pointee.has(.bypassesEncoding) ? -1 : count - 1, endsStream: endsStream)
  }

  private func encodeHeaders(_ stream: HTTPStreamRef, from index: Int, endsStream: Bool) {
    let chain = stream.pointee.filters.pointee
    if chain.encodesHeaders {
      var i = index
      while i >= 0 {
        let status: HeadersStatus =
          wants(.encodeHeaders, stream, chain, i)
          ? chain.filters[i]._withUnsafeGuaranteedRef {
            $0.encodeHeaders(
              FilterContext(worker: self, stream: stream, index: i), endsStream: endsStream)
          } : .continue
        if isEncoded(stream) { return }
        if status != .continue {
          stream.pointee.encoding.stop(at: i, all: status == .stopAll)
          stream.pointee.encoding.headersAt = Int16(i)
          if endsStream { responseEnds(stream, at: i) }
          return
        }
        if stream.pointee.encoding.hasMade {
          encodeMade(stream, i)
          return
        }
        i &-= 1
      }
    }
    writeResponseHead(stream, endsStream: endsStream)
  }

  /// The end of the response waits at filter `i`, behind the trailers that the filter made.
  private func responseEnds(_ stream: HTTPStreamRef, at i: Int) {
    if stream.pointee.encoding.takeMade() {
      stream.pointee.encoding.trailersAt = Int16(i)
      stream.pointee.encoding.trailersSeen = true
    } else {
      stream.pointee.encoding.endAt = Int16(i)
    }
  }

  /// Filter `i` made a body or trailers for a response that came without.
  private func encodeMade(_ stream: HTTPStreamRef, _ i: Int) {
    let hasTrailers = stream.pointee.encoding.takeMade()
    var data = stream.pointee.encoding.takeHeld(at: i)
    encodeHeaders(stream, from: i - 1, endsStream: false)
    if isEncoded(stream) {
      segments.releaseAll(&data)
      return
    }
    if !data.isEmpty || !hasTrailers {
      encodeData(stream, &data, from: i - 1, endsStream: !hasTrailers)
    }
    if hasTrailers, !isEncoded(stream) { encodeTrailers(stream, from: i, isSeen: true) }
  }

  /// Filter `i` made trailers for a response that ended with `data`.
  private func encodeLast(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, _ i: Int) {
    _ = stream.pointee.encoding.takeMade()
    if stream.pointee.encoding.isStopped(at: i), !encodeHeld(stream, &data, i, endsStream: false) { return }
    if !data.isEmpty { encodeData(stream, &data, from: i - 1, endsStream: false) }
    if !isEncoded(stream) { encodeTrailers(stream, from: i, isSeen: true) }
  }

  /// The response that was on its way is over, or another one has taken its place.
  @inline(__always)
  private func isEncoded(_ stream: HTTPStreamRef) -> Bool {
    !stream.pointee.flags.isDisjoint(with: [.finished, .responseComplete])
  }

  // MARK: Data

  func encodeData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    if isEncoded(stream) {
      segments.releaseAll(&data)
      return
    }
    stream.pointee.lastActivityAt = now
    let count = stream.pointee.filters.pointee.count
    encodeData(
      stream, &data, from: stream.pointee.has(.bypassesEncoding) ? -1 : count - 1,
      endsStream: endsStream)
  }

  private func encodeData(
    _ stream: HTTPStreamRef, _ data: inout SegmentQueue, from index: Int, endsStream: Bool
  ) {
    let chain = stream.pointee.filters.pointee
    if chain.encodesData || stream.pointee.encoding.isStopped {
      var i = index
      while i >= 0 {
        guard encodeDataStep(stream, &data, chain, i, endsStream: endsStream) else { return }
        i &-= 1
      }
    }
    writeResponseData(stream, &data, endsStream: endsStream)
  }

  /// One filter looks at data. False: they go no further now.
  private func encodeDataStep(
    _ stream: HTTPStreamRef, _ data: inout SegmentQueue, _ chain: FilterChain.View, _ i: Int,
    endsStream: Bool
  ) -> Bool {
    let isStopped = stream.pointee.encoding.isStopped(at: i)
    guard wants(.encodeData, stream, chain, i), !stream.pointee.encoding.isStoppedForAll(at: i)
    else {
      if isStopped {
        holdResponse(stream, &data, chain, i, endsStream: endsStream)
        pauseResponseIfOverLimit(stream)
      }
      return !isStopped
    }
    let status = chain.filters[i]._withUnsafeGuaranteedRef {
      $0.encodeData(
        FilterContext(worker: self, stream: stream, index: i), &data, endsStream: endsStream)
    }
    if isEncoded(stream) {
      segments.releaseAll(&data)
      return false
    }
    switch status {
    case .continue:
      if stream.pointee.encoding.hasMade {
        encodeLast(stream, &data, i)
        return false
      }
      guard stream.pointee.encoding.isStopped(at: i) else { return true }
      return encodeHeld(stream, &data, i, endsStream: endsStream)
    case .stopAndBuffer:
      holdResponse(stream, &data, chain, i, endsStream: endsStream)
      if stream.pointee.encoding.heldBytes > stream.pointee.connection.pointee.outputLimit {
        responseTooLarge(stream)
      }
      return false
    case .stopAndWatermark:
      holdResponse(stream, &data, chain, i, endsStream: endsStream)
      pauseResponseIfOverLimit(stream)
      return false
    }
  }

  private func holdResponse(
    _ stream: HTTPStreamRef, _ data: inout SegmentQueue, _ chain: FilterChain.View, _ i: Int,
    endsStream: Bool
  ) {
    stream.pointee.encoding.stop(at: i)
    if endsStream { responseEnds(stream, at: i) }
    stream.pointee.encoding.hold(
      &data, at: i, filterCount: chain.count, arena: arena(stream), segments: segments)
  }

  /// Filter `i` lets go on what it held, ahead of `data`. False: `data` go no further now.
  private func encodeHeld(
    _ stream: HTTPStreamRef, _ data: inout SegmentQueue, _ i: Int, endsStream: Bool
  ) -> Bool {
    _ = stream.pointee.encoding.resume(at: i)
    var held = stream.pointee.encoding.takeHeld(at: i)
    held.append(&data)
    data = held
    guard Int(stream.pointee.encoding.headersAt) == i else { return true }
    stream.pointee.encoding.headersAt = -1
    let endsWithHeaders = endsStream && data.isEmpty
    encodeHeaders(stream, from: i - 1, endsStream: endsWithHeaders)
    if isEncoded(stream) {
      segments.releaseAll(&data)
      return false
    }
    return !endsWithHeaders
  }

  // MARK: Trailers

  func encodeTrailers(_ stream: HTTPStreamRef) {
    if isEncoded(stream) { return }
    stream.pointee.flags.insert(.hasResponseTrailers)
    let count = stream.pointee.filters.pointee.count
    encodeTrailers(
      stream, from: stream.pointee.has(.bypassesEncoding) ? -1 : count - 1, isSeen: false)
  }

  /// - Parameter isSeen: Filter `index` has been shown the trailers.
  private func encodeTrailers(_ stream: HTTPStreamRef, from index: Int, isSeen: Bool) {
    let chain = stream.pointee.filters.pointee
    if chain.encodesTrailers || stream.pointee.encoding.isStopped {
      var i = isSeen ? index - 1 : index
      while i >= 0 {
        let isBlind = stream.pointee.encoding.isStoppedForAll(at: i)
        let asks = !isBlind && wants(.encodeTrailers, stream, chain, i)
        let status: TrailersStatus =
          asks
          ? chain.filters[i]._withUnsafeGuaranteedRef {
            $0.encodeTrailers(FilterContext(worker: self, stream: stream, index: i))
          } : stream.pointee.encoding.isStopped(at: i) ? .stop : .continue
        if isEncoded(stream) { return }
        if status == .stop {
          stream.pointee.encoding.stop(at: i)
          stream.pointee.encoding.trailersAt = Int16(i)
          stream.pointee.encoding.trailersSeen = asks
          return
        }
        if stream.pointee.encoding.isStopped(at: i)
          || asks && stream.pointee.encoding.heldBytes(at: i) > 0
        {
          var none = SegmentQueue()
          if encodeHeld(stream, &none, i, endsStream: false), !none.isEmpty {
            encodeData(stream, &none, from: i - 1, endsStream: false)
          }
          if isEncoded(stream) { return }
        }
        i &-= 1
      }
    }
    // A filter may have taken them all away.
    if stream.pointee.responseTrailers.count == 0 { stream.pointee.flags.remove(.hasResponseTrailers) }
    var none = SegmentQueue()
    writeResponseData(stream, &none, endsStream: true)
  }

  // MARK: Going on

  /// Filter `index`, which stopped the response, lets it go on.
  func continueEncoding(_ stream: HTTPStreamRef, from index: Int) {
    guard stream.pointee.encoding.isStopped(at: index), !isEncoded(stream) else { return }
    let wasBlind = stream.pointee.encoding.resume(at: index)
    let ends = Int(stream.pointee.encoding.endAt) == index
    if ends { stream.pointee.encoding.endAt = -1 }
    let hasTrailers = Int(stream.pointee.encoding.trailersAt) == index
    let trailersSeen = stream.pointee.encoding.trailersSeen
    if hasTrailers { stream.pointee.encoding.trailersAt = -1 }
    var data = stream.pointee.encoding.takeHeld(at: index)
    if Int(stream.pointee.encoding.headersAt) == index {
      stream.pointee.encoding.headersAt = -1
      let endsWithHeaders = ends && data.isEmpty
      encodeHeaders(stream, from: index - 1, endsStream: endsWithHeaders)
      if endsWithHeaders || isEncoded(stream) {
        segments.releaseAll(&data)
        return
      }
    }
    if !data.isEmpty || ends {
      // A filter that stopped everything has not seen its data yet.
      encodeData(stream, &data, from: wasBlind ? index : index - 1, endsStream: ends)
    }
    if isEncoded(stream) { return }
    if hasTrailers { encodeTrailers(stream, from: index, isSeen: trailersSeen) }
    if isEncoded(stream) { return }
    if stream.pointee.encoding.heldBytes <= stream.pointee.connection.pointee.outputLimit,
      !isResponseBlocked(stream)
    {
      resumeUpstream(stream)
    }
  }

  // MARK: Limits

  private func pauseResponseIfOverLimit(_ stream: HTTPStreamRef) {
    if stream.pointee.encoding.heldBytes > stream.pointee.connection.pointee.outputLimit {
      pauseUpstream(stream)
    }
  }

  /// A filter wanted the whole response and it does not fit.
  private func responseTooLarge(_ stream: HTTPStreamRef) {
    slab.increment(stream.pointee.manager.pointee.stats.rsTooLarge)
    sendLocalReply(
      stream, status: 500, body: ByteView("Internal Server Error"),
      details: "response_payload_too_large", flags: [])
  }
}
