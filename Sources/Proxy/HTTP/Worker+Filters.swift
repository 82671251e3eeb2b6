import HTTPCore
import Primitives
import Reactor
import Stats

/// Walks a request and its response through the filters of their chain.
extension Worker {
  // MARK: Request

  /// Headers from filter `index` on; the router (or what stands for it) comes last.
  func decodeHeaders(_ stream: HTTPStreamRef, from index: Int, endsStream: Bool) {
    let chain = stream.pointee.manager.pointee.filters.view
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
        switch status {
        case .continue: break
        case .stop:
          stream.pointee.decodeStoppedAt = Int16(i)
          stream.pointee.flags.insert(.decodeHeadersPending)
          return
        case .stopAll:
          stream.pointee.decodeStoppedAt = Int16(i)
          stream.pointee.flags.insert([.decodeHeadersPending, .decodeStoppedAll])
          return
        }
        i += 1
      }
    }
    if let terminal = stream.pointee.manager.pointee.terminalReference {
      if endsStream { stream.pointee.flags.insert(.decodeEnded) }
      terminal._withUnsafeGuaranteedRef { $0.request(self, stream, endsStream: endsStream) }
    } else {
      routeRequest(stream, endsStream: endsStream)
    }
  }

  /// The stream has its answer already: nothing of the request matters any more.
  @inline(__always)
  private func isAnswered(_ stream: HTTPStreamRef) -> Bool {
    !stream.pointee.flags.isDisjoint(with: [.finished, .isLocalReply])
  }

  /// Body bytes as they come from the codec.
  func decodeData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    if isAnswered(stream) || stream.pointee.has(.responseComplete) {
      segments.releaseAll(&data)
      if endsStream, !stream.pointee.has(.finished) { finishStreamIfDone(stream) }
      return
    }
    let stoppedAt = Int(stream.pointee.decodeStoppedAt)
    if stoppedAt < 0 {
      decodeData(stream, &data, from: 0, endsStream: endsStream)
      return
    }
    if stream.pointee.has(.decodeStoppedAll) {
      stream.pointee.bufferedRequest.append(&data)
      pauseIfOverLimit(stream)
      return
    }
    decodeData(stream, &data, from: stoppedAt, endsStream: endsStream)
  }

  private func decodeData(
    _ stream: HTTPStreamRef, _ data: inout SegmentQueue, from index: Int, endsStream: Bool
  ) {
    let chain = stream.pointee.manager.pointee.filters.view
    if chain.decodesData {
      let filters = chain.filters
      var i = index
      while i < filters.count {
        guard filters[i]._withUnsafeGuaranteedRef({ $0.interests.contains(.decodeData) }),
          !stream.pointee.route.isDisabled(i)
        else {
          if i == Int(stream.pointee.decodeStoppedAt) {
            // Stopped on headers by a filter that does not look at data: hold them for it.
            stream.pointee.bufferedRequest.append(&data)
            pauseIfOverLimit(stream)
            return
          }
          i += 1
          continue
        }
        let status = filters[i]._withUnsafeGuaranteedRef {
          $0.decodeData(
            FilterContext(worker: self, stream: stream, index: i), &data, endsStream: endsStream)
        }
        if isAnswered(stream) {
          segments.releaseAll(&data)
          return
        }
        switch status {
        case .continue:
          if i == Int(stream.pointee.decodeStoppedAt) {
            stream.pointee.decodeStoppedAt = -1
            stream.pointee.bufferedRequest.append(&data)
            data = stream.pointee.bufferedRequest
            stream.pointee.bufferedRequest = SegmentQueue()
            if stream.pointee.has(.decodeHeadersPending) {
              stream.pointee.flags.remove(.decodeHeadersPending)
              decodeHeaders(stream, from: i + 1, endsStream: endsStream && data.isEmpty)
              if isAnswered(stream) {
                segments.releaseAll(&data)
                return
              }
              if endsStream, data.isEmpty { return }
              if stream.pointee.decodeStoppedAt >= 0 {
                decodeData(stream, &data, endsStream: endsStream)
                return
              }
            }
          }
        case .stopAndBuffer:
          stream.pointee.decodeStoppedAt = Int16(i)
          stream.pointee.bufferedRequest.append(&data)
          if stream.pointee.bufferedRequest.byteCount > requestBufferLimit(stream) {
            slab.increment(stream.pointee.manager.pointee.stats.rqTooLarge)
            sendLocalReply(
              stream, status: 413, body: ByteView("Payload Too Large"),
              details: "request_payload_too_large", flags: [])
          }
          return
        case .stopAndWatermark:
          stream.pointee.decodeStoppedAt = Int16(i)
          stream.pointee.bufferedRequest.append(&data)
          pauseIfOverLimit(stream)
          return
        }
        i += 1
      }
    } else if stream.pointee.decodeStoppedAt >= 0 {
      stream.pointee.bufferedRequest.append(&data)
      pauseIfOverLimit(stream)
      return
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

  func decodeTrailers(_ stream: HTTPStreamRef) {
    if isAnswered(stream) || stream.pointee.has(.responseComplete) {
      if !stream.pointee.has(.finished) { finishStreamIfDone(stream) }
      return
    }
    if stream.pointee.decodeStoppedAt >= 0 {
      // A filter that waits for the whole body has it now.
      let stopped = Int(stream.pointee.decodeStoppedAt)
      let filters = stream.pointee.manager.pointee.filters.view.filters
      let status: TrailersStatus = filters[stopped]._withUnsafeGuaranteedRef {
        $0.interests.contains(.decodeTrailers)
          ? $0.decodeTrailers(FilterContext(worker: self, stream: stream, index: stopped)) : .stop
      }
      if status == .continue, !isAnswered(stream) {
        continueDecoding(stream)
      }
      return
    }
    let chain = stream.pointee.manager.pointee.filters.view
    if chain.decodesTrailers {
      let filters = chain.filters
      for i in filters.indices {
        _ = filters[i]._withUnsafeGuaranteedRef {
          $0.interests.contains(.decodeTrailers)
            ? $0.decodeTrailers(FilterContext(worker: self, stream: stream, index: i)) : .continue
        }
        if isAnswered(stream) { return }
      }
    }
    stream.pointee.flags.insert(.decodeEnded)
    var none = SegmentQueue()
    if let terminal = stream.pointee.manager.pointee.terminalReference {
      terminal._withUnsafeGuaranteedRef {
        $0.requestData(self, stream, &none, endsStream: true)
      }
    } else {
      routeData(stream, &none, endsStream: true)
    }
  }

  /// The filter that stopped the request lets it go on.
  func continueDecoding(_ stream: HTTPStreamRef) {
    guard stream.pointee.decodeStoppedAt >= 0, !isAnswered(stream) else { return }
    let index = Int(stream.pointee.decodeStoppedAt)
    let stoppedAll = stream.pointee.has(.decodeStoppedAll)
    stream.pointee.decodeStoppedAt = -1
    stream.pointee.flags.remove(.decodeStoppedAll)
    var data = stream.pointee.bufferedRequest
    stream.pointee.bufferedRequest = SegmentQueue()
    let hasTrailers = stream.pointee.has(.hasRequestTrailers)
    let complete = stream.pointee.has(.requestComplete) && !hasTrailers
    if stream.pointee.has(.decodeHeadersPending) {
      stream.pointee.flags.remove(.decodeHeadersPending)
      let endsWithHeaders = complete && data.isEmpty
      decodeHeaders(stream, from: index + 1, endsStream: endsWithHeaders)
      if isAnswered(stream) {
        segments.releaseAll(&data)
        return
      }
      if endsWithHeaders { return }
    }
    if !data.isEmpty || complete {
      if stream.pointee.decodeStoppedAt >= 0 {
        decodeData(stream, &data, endsStream: complete)
      } else {
        // Data that were held from every filter begin with the one that stopped.
        decodeData(
          stream, &data, from: stoppedAll ? index : index + 1, endsStream: complete)
      }
    }
    if isAnswered(stream) { return }
    if hasTrailers, stream.pointee.has(.requestComplete) { decodeTrailers(stream) }
    resumeRequest(stream)
  }

  // MARK: Response

  /// Response headers from the upstream or from the proxy itself, last filter first.
  func encodeHeaders(_ stream: HTTPStreamRef, endsStream: Bool) {
    stream.pointee.flags.insert(.responseStarted)
    encodeHeaders(
      stream, from: stream.pointee.manager.pointee.filters.view.count - 1, endsStream: endsStream)
  }

  private func encodeHeaders(_ stream: HTTPStreamRef, from index: Int, endsStream: Bool) {
    let chain = stream.pointee.manager.pointee.filters.view
    if chain.encodesHeaders {
      let filters = chain.filters
      var i = index
      while i >= 0 {
        let status = filters[i]._withUnsafeGuaranteedRef { filter in
          filter.interests.contains(.encodeHeaders) && !stream.pointee.route.isDisabled(i)
            ? filter.encodeHeaders(
              FilterContext(worker: self, stream: stream, index: i), endsStream: endsStream)
            : .continue
        }
        if stream.pointee.has(.finished) { return }
        if status != .continue {
          stream.pointee.encodeStoppedAt = Int16(i)
          stream.pointee.flags.insert(
            status == .stopAll ? [.encodeHeadersPending, .encodeStoppedAll] : .encodeHeadersPending)
          if endsStream { stream.pointee.flags.insert(.encodeEnded) }
          return
        }
        i -= 1
      }
    }
    writeResponseHead(stream, endsStream: endsStream)
  }

  func encodeData(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, endsStream: Bool) {
    if stream.pointee.flags.isDisjoint(with: [.finished, .responseComplete]) == false {
      segments.releaseAll(&data)
      return
    }
    stream.pointee.lastActivityAt = now
    if endsStream { stream.pointee.flags.insert(.encodeEnded) }
    let stoppedAt = Int(stream.pointee.encodeStoppedAt)
    if stoppedAt >= 0, stream.pointee.has(.encodeStoppedAll) {
      holdResponse(stream, &data)
      return
    }
    let last = stream.pointee.manager.pointee.filters.view.count - 1
    encodeData(stream, &data, from: stoppedAt >= 0 ? stoppedAt : last, endsStream: endsStream)
  }

  private func encodeData(
    _ stream: HTTPStreamRef, _ data: inout SegmentQueue, from index: Int, endsStream: Bool
  ) {
    let chain = stream.pointee.manager.pointee.filters.view
    if chain.encodesData {
      let filters = chain.filters
      var i = index
      while i >= 0 {
        guard filters[i]._withUnsafeGuaranteedRef({ $0.interests.contains(.encodeData) }),
          !stream.pointee.route.isDisabled(i)
        else {
          if i == Int(stream.pointee.encodeStoppedAt) {
            holdResponse(stream, &data)
            return
          }
          i -= 1
          continue
        }
        let status = filters[i]._withUnsafeGuaranteedRef {
          $0.encodeData(
            FilterContext(worker: self, stream: stream, index: i), &data, endsStream: endsStream)
        }
        if stream.pointee.has(.finished) {
          segments.releaseAll(&data)
          return
        }
        if status == .continue {
          if i == Int(stream.pointee.encodeStoppedAt) {
            stream.pointee.encodeStoppedAt = -1
            stream.pointee.bufferedResponse.append(&data)
            data = stream.pointee.bufferedResponse
            stream.pointee.bufferedResponse = SegmentQueue()
            if stream.pointee.has(.encodeHeadersPending) {
              stream.pointee.flags.remove(.encodeHeadersPending)
              encodeHeaders(stream, from: i - 1, endsStream: endsStream && data.isEmpty)
              if stream.pointee.has(.finished) {
                segments.releaseAll(&data)
                return
              }
              if endsStream, data.isEmpty { return }
            }
          }
        } else {
          stream.pointee.encodeStoppedAt = Int16(i)
          stream.pointee.bufferedResponse.append(&data)
          if stream.pointee.bufferedResponse.byteCount > stream.pointee.connection.pointee.outputLimit {
            if status == .stopAndBuffer {
              responseTooLarge(stream)
            } else {
              pauseUpstream(stream)
            }
          }
          return
        }
        i -= 1
      }
    } else if stream.pointee.encodeStoppedAt >= 0 {
      holdResponse(stream, &data)
      return
    }
    writeResponseData(stream, &data, endsStream: endsStream)
  }

  private func holdResponse(_ stream: HTTPStreamRef, _ data: inout SegmentQueue) {
    stream.pointee.bufferedResponse.append(&data)
    if stream.pointee.bufferedResponse.byteCount > stream.pointee.connection.pointee.outputLimit {
      pauseUpstream(stream)
    }
  }

  /// A filter wanted the whole response and it does not fit.
  private func responseTooLarge(_ stream: HTTPStreamRef) {
    slab.increment(stream.pointee.manager.pointee.stats.rsTooLarge)
    if stream.pointee.has(.encodeHeadersPending) {
      stream.pointee.flags.remove([.encodeHeadersPending, .responseStarted, .encodeEnded])
      stream.pointee.encodeStoppedAt = -1
      segments.releaseAll(&stream.pointee.bufferedResponse)
      sendLocalReply(
        stream, status: 500, body: ByteView("Internal Server Error"),
        details: "response_payload_too_large", flags: [])
    } else {
      resetStream(stream, isLocal: true)
    }
  }

  func encodeTrailers(_ stream: HTTPStreamRef) {
    if stream.pointee.has(.finished) { return }
    stream.pointee.flags.insert([.hasResponseTrailers, .encodeEnded])
    let chain = stream.pointee.manager.pointee.filters.view
    if chain.encodesTrailers {
      let filters = chain.filters
      for i in filters.indices.reversed() {
        _ = filters[i]._withUnsafeGuaranteedRef {
          $0.interests.contains(.encodeTrailers)
            ? $0.encodeTrailers(FilterContext(worker: self, stream: stream, index: i)) : .continue
        }
        if stream.pointee.has(.finished) { return }
      }
    }
    if stream.pointee.encodeStoppedAt >= 0 {
      continueEncoding(stream)
      return
    }
    var none = SegmentQueue()
    writeResponseData(stream, &none, endsStream: true)
  }

  /// The filter that stopped the response lets it go on.
  func continueEncoding(_ stream: HTTPStreamRef) {
    guard stream.pointee.encodeStoppedAt >= 0, !stream.pointee.has(.finished) else { return }
    let index = Int(stream.pointee.encodeStoppedAt)
    let stoppedAll = stream.pointee.has(.encodeStoppedAll)
    stream.pointee.encodeStoppedAt = -1
    stream.pointee.flags.remove(.encodeStoppedAll)
    var data = stream.pointee.bufferedResponse
    stream.pointee.bufferedResponse = SegmentQueue()
    let ended = stream.pointee.has(.encodeEnded)
    if stream.pointee.has(.encodeHeadersPending) {
      stream.pointee.flags.remove(.encodeHeadersPending)
      let endsWithHeaders = ended && data.isEmpty && !stream.pointee.has(.hasResponseTrailers)
      encodeHeaders(stream, from: index - 1, endsStream: endsWithHeaders)
      if endsWithHeaders || stream.pointee.has(.finished) {
        segments.releaseAll(&data)
        return
      }
    }
    encodeData(stream, &data, from: stoppedAll ? index : index - 1, endsStream: ended)
    if !stream.pointee.has(.finished) { resumeUpstream(stream) }
  }

  // MARK: Limits

  /// Bytes of a request that may be held back.
  func requestBufferLimit(_ stream: HTTPStreamRef) -> Int {
    stream.pointee.route.bufferLimitBytes ?? stream.pointee.connection.pointee.outputLimit
  }

  func pauseIfOverLimit(_ stream: HTTPStreamRef) {
    let held =
      stream.pointee.bufferedRequest.byteCount &+ stream.pointee.upstream.waitingBody.byteCount
    guard held > stream.pointee.connection.pointee.outputLimit,
      !stream.pointee.has(.pausedDownstream)
    else { return }
    stream.pointee.flags.insert(.pausedDownstream)
    slab.increment(stream.pointee.manager.pointee.stats.flowPaused)
    stopReading(stream.pointee.connection)
  }

  /// What was held has moved on: the client may send again.
  func resumeRequest(_ stream: HTTPStreamRef) {
    guard stream.pointee.has(.pausedDownstream) else { return }
    stream.pointee.flags.remove(.pausedDownstream)
    slab.increment(stream.pointee.manager.pointee.stats.flowResumed)
    startReading(stream.pointee.connection)
  }
}
