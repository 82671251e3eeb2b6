import HTTPCore
import Primitives
import Reactor
import Stats

/// Walks a request through the filters of its chain, first to last; the router, or what stands for
/// it, comes after the last.
extension Worker {
  // MARK: Headers

  /// Headers from filter `index` on.
  func decodeHeaders(_ stream: HTTPStreamRef, from index: Int, endsStream: Bool) {
    let chain = stream.pointee.filters.pointee
    if chain.decodesHeaders {
      let filters = chain.filters
      var i = index
      while i < filters.count {
        let status = filters[i]._withUnsafeGuaranteedRef { filter in
          filter.interests.contains(.decodeHeaders) && !stream.pointee.route.isDisabled(i)
            ? filter.decodeHeaders(
              FilterContext(worker: self, stream: stream, index: i), endsStream: endsStream)
            : .continue
        }
        if isAnswered(stream) { return }
        if status != .continue {
          stream.pointee.decoding.stop(at: i, all: status == .stopAll)
          stream.pointee.decoding.headersAt = Int16(i)
          if endsStream { stream.pointee.decoding.endAt = Int16(i) }
          _ = stream.pointee.decoding.takeMade()
          return
        }
        if stream.pointee.decoding.hasMade {
          decodeMade(stream, i)
          return
        }
        i &+= 1
      }
    }
    if let terminal = stream.pointee.manager.pointee.terminalReference {
      if endsStream { stream.pointee.flags.insert(.decodeEnded) }
      terminal._withUnsafeGuaranteedRef { $0.request(self, stream, endsStream: endsStream) }
    } else {
      if endsStream { stream.pointee.flags.insert(.decodeEnded) }
      routeRequest(stream, endsStream: endsStream)
    }
  }

  /// Filter `i` made a body for a request that came without.
  private func decodeMade(_ stream: HTTPStreamRef, _ i: Int) {
    _ = stream.pointee.decoding.takeMade()
    var data = stream.pointee.decoding.takeHeld(at: i)
    decodeHeaders(stream, from: i + 1, endsStream: false)
    if isAnswered(stream) {
      segments.releaseAll(&data)
    } else {
      decodeData(stream, &data, from: i + 1, endsStream: true)
    }
  }

  /// The stream has its answer already: nothing of the request matters any more.
  @inline(__always)
  private func isAnswered(_ stream: HTTPStreamRef) -> Bool {
    !stream.pointee.flags.isDisjoint(with: [.finished, .isLocalReply])
  }

  // MARK: Data

  /// Body bytes as they come from the codec.
  func decodeData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    if isAnswered(stream) || stream.pointee.has(.responseComplete) {
      segments.releaseAll(&data)
      if endsStream, !stream.pointee.has(.finished) { finishStreamIfDone(stream) }
      return
    }
    decodeData(stream, &data, from: 0, endsStream: endsStream)
  }

  private func decodeData(
    _ stream: HTTPStreamRef, _ data: inout SegmentQueue, from index: Int, endsStream: Bool
  ) {
    let chain = stream.pointee.filters.pointee
    if chain.decodesData || stream.pointee.decoding.isStopped {
      var i = index
      while i < chain.filters.count {
        guard decodeDataStep(stream, &data, chain, i, endsStream: endsStream) else { return }
        i &+= 1
      }
    }
    if endsStream { stream.pointee.flags.insert(.decodeEnded) }
    if let terminal = stream.pointee.manager.pointee.terminalReference {
      terminal._withUnsafeGuaranteedRef {
        $0.requestData(self, stream, &data, endsStream: endsStream)
      }
      segments.releaseAll(&data)
      if !stream.pointee.has(.finished) { finishStreamIfDone(stream) }
    } else {
      routeData(stream, &data, endsStream: endsStream)
    }
  }

  /// One filter looks at data. False: they go no further now.
  private func decodeDataStep(
    _ stream: HTTPStreamRef, _ data: inout SegmentQueue, _ chain: FilterChain.View, _ i: Int,
    endsStream: Bool
  ) -> Bool {
    let isStopped = stream.pointee.decoding.isStopped(at: i)
    guard wants(.decodeData, stream, chain, i), !stream.pointee.decoding.isStoppedForAll(at: i)
    else {
      if isStopped {
        holdRequest(stream, &data, chain, i, endsStream: endsStream)
        pauseIfOverLimit(stream)
      }
      return !isStopped
    }
    let status = chain.filters[i]._withUnsafeGuaranteedRef {
      $0.decodeData(
        FilterContext(worker: self, stream: stream, index: i), &data, endsStream: endsStream)
    }
    if isAnswered(stream) {
      segments.releaseAll(&data)
      return false
    }
    switch status {
    case .continue:
      guard stream.pointee.decoding.isStopped(at: i) else { return true }
      return decodeHeld(stream, &data, i, endsStream: endsStream)
    case .stopAndBuffer:
      holdRequest(stream, &data, chain, i, endsStream: endsStream)
      if stream.pointee.decoding.heldBytes > requestBufferLimit(stream) {
        requestTooLarge(stream)
      } else {
        // It waits for the rest, whatever a filter before it had the client stopped for.
        resumeRequest(stream)
      }
      return false
    case .stopAndWatermark:
      holdRequest(stream, &data, chain, i, endsStream: endsStream)
      pauseIfOverLimit(stream)
      return false
    }
  }

  private func holdRequest(
    _ stream: HTTPStreamRef, _ data: inout SegmentQueue, _ chain: FilterChain.View, _ i: Int,
    endsStream: Bool
  ) {
    stream.pointee.decoding.stop(at: i)
    if endsStream { stream.pointee.decoding.endAt = Int16(i) }
    stream.pointee.decoding.hold(
      &data, at: i, filterCount: chain.count, arena: arena(stream), segments: segments)
  }

  /// Filter `i` lets go on what it held, ahead of `data`. False: `data` go no further now.
  private func decodeHeld(
    _ stream: HTTPStreamRef, _ data: inout SegmentQueue, _ i: Int, endsStream: Bool
  ) -> Bool {
    _ = stream.pointee.decoding.resume(at: i)
    var held = stream.pointee.decoding.takeHeld(at: i)
    held.append(&data)
    data = held
    guard Int(stream.pointee.decoding.headersAt) == i else { return true }
    stream.pointee.decoding.headersAt = -1
    let endsWithHeaders = endsStream && data.isEmpty
    decodeHeaders(stream, from: i + 1, endsStream: endsWithHeaders)
    if isAnswered(stream) {
      segments.releaseAll(&data)
      return false
    }
    return !endsWithHeaders
  }

  // MARK: Trailers

  func decodeTrailers(_ stream: HTTPStreamRef) {
    if isAnswered(stream) || stream.pointee.has(.responseComplete) {
      if !stream.pointee.has(.finished) { finishStreamIfDone(stream) }
      return
    }
    decodeTrailers(stream, from: 0, isSeen: false)
  }

  /// - Parameter isSeen: Filter `index` has been shown the trailers.
  private func decodeTrailers(_ stream: HTTPStreamRef, from index: Int, isSeen: Bool) {
    let chain = stream.pointee.filters.pointee
    if chain.decodesTrailers || stream.pointee.decoding.isStopped {
      var i = isSeen ? index + 1 : index
      while i < chain.filters.count {
        let isBlind = stream.pointee.decoding.isStoppedForAll(at: i)
        let asks = !isBlind && wants(.decodeTrailers, stream, chain, i)
        let status: TrailersStatus =
          asks
          ? chain.filters[i]._withUnsafeGuaranteedRef {
            $0.decodeTrailers(FilterContext(worker: self, stream: stream, index: i))
          } : stream.pointee.decoding.isStopped(at: i) ? .stop : .continue
        if isAnswered(stream) { return }
        if status == .stop {
          stream.pointee.decoding.stop(at: i)
          stream.pointee.decoding.trailersAt = Int16(i)
          stream.pointee.decoding.trailersSeen = asks
          return
        }
        if stream.pointee.decoding.isStopped(at: i)
          || asks && stream.pointee.decoding.heldBytes(at: i) > 0
        {
          var none = SegmentQueue()
          if decodeHeld(stream, &none, i, endsStream: false), !none.isEmpty {
            decodeData(stream, &none, from: i + 1, endsStream: false)
          }
          if isAnswered(stream) { return }
        }
        i &+= 1
      }
    }
    // A filter may have taken them all away.
    if stream.pointee.requestTrailers.count == 0 { stream.pointee.flags.remove(.hasRequestTrailers) }
    stream.pointee.flags.insert(.decodeEnded)
    var none = SegmentQueue()
    if let terminal = stream.pointee.manager.pointee.terminalReference {
      terminal._withUnsafeGuaranteedRef {
        $0.requestData(self, stream, &none, endsStream: true)
      }
      if !stream.pointee.has(.finished) { finishStreamIfDone(stream) }
    } else {
      routeData(stream, &none, endsStream: true)
    }
  }

  // MARK: Going on

  /// Filter `index`, which stopped the request, lets it go on.
  func continueDecoding(_ stream: HTTPStreamRef, from index: Int) {
    guard stream.pointee.decoding.isStopped(at: index), !isAnswered(stream) else { return }
    let wasBlind = stream.pointee.decoding.resume(at: index)
    let ends = Int(stream.pointee.decoding.endAt) == index
    if ends { stream.pointee.decoding.endAt = -1 }
    let hasTrailers = Int(stream.pointee.decoding.trailersAt) == index
    let trailersSeen = stream.pointee.decoding.trailersSeen
    if hasTrailers { stream.pointee.decoding.trailersAt = -1 }
    var data = stream.pointee.decoding.takeHeld(at: index)
    if Int(stream.pointee.decoding.headersAt) == index {
      stream.pointee.decoding.headersAt = -1
      let endsWithHeaders = ends && data.isEmpty
      decodeHeaders(stream, from: index + 1, endsStream: endsWithHeaders)
      if endsWithHeaders || isAnswered(stream) {
        segments.releaseAll(&data)
        return
      }
    }
    if !data.isEmpty || ends {
      // A filter that stopped everything has not seen its data yet.
      decodeData(stream, &data, from: wasBlind ? index : index + 1, endsStream: ends)
    }
    if isAnswered(stream) { return }
    if hasTrailers { decodeTrailers(stream, from: index, isSeen: trailersSeen) }
    if isAnswered(stream) { return }
    if heldRequestBytes(stream) <= stream.pointee.connection.pointee.outputLimit {
      resumeRequest(stream)
    }
  }

  @inline(__always)
  func wants(
    _ interest: HTTPFilter.Interests, _ stream: HTTPStreamRef, _ chain: FilterChain.View, _ i: Int
  ) -> Bool {
    chain.filters[i]._withUnsafeGuaranteedRef { $0.interests.contains(interest) }
      && !stream.pointee.route.isDisabled(i)
  }

  // MARK: Limits

  /// Bytes of a request that may be held back.
  func requestBufferLimit(_ stream: HTTPStreamRef) -> Int {
    stream.pointee.requestBufferLimitBytes ?? stream.pointee.route.bufferLimitBytes
      ?? stream.pointee.connection.pointee.outputLimit
  }

  func requestTooLarge(_ stream: HTTPStreamRef) {
    slab.increment(stream.pointee.manager.pointee.stats.rqTooLarge)
    sendLocalReply(
      stream, status: 413, body: ByteView("Payload Too Large"),
      details: "request_payload_too_large", flags: [])
  }

  private func heldRequestBytes(_ stream: HTTPStreamRef) -> Int {
    stream.pointee.decoding.heldBytes &+ stream.pointee.upstream.waitingBody.byteCount
  }

  func pauseIfOverLimit(_ stream: HTTPStreamRef) {
    guard heldRequestBytes(stream) > stream.pointee.connection.pointee.outputLimit,
      !stream.pointee.has(.pausedDownstream)
    else { return }
    pauseRequest(stream)
  }

  /// The client must not send more for now.
  func pauseRequest(_ stream: HTTPStreamRef) {
    stream.pointee.flags.insert(.pausedDownstream)
    slab.increment(stream.pointee.manager.pointee.stats.flowPaused)
    codecPauseRequest(stream)
  }

  /// What was held has moved on: the client may send again.
  func resumeRequest(_ stream: HTTPStreamRef) {
    guard stream.pointee.has(.pausedDownstream) else { return }
    stream.pointee.flags.remove(.pausedDownstream)
    slab.increment(stream.pointee.manager.pointee.stats.flowResumed)
    codecResumeRequest(stream)
  }
}
