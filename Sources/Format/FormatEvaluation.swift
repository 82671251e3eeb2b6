import HTTPCore
import Primitives

/// How a value goes into the sink.
enum ValueEscaping { case none, json }

extension FormatOperation {
  /// Writes the operator's value; returns false, having written nothing, when there is none.
  func write(
    _ context: borrowing FormatContext, to sink: inout ByteSink, escaping: ValueEscaping
  ) -> Bool {
    let stream = context.stream
    switch kind {
    case .literal:
      sink.write(value: text, escaping)
    case .requestHeader: return writeHeader(context.requestHeaders, &sink, escaping)
    case .responseHeader: return writeHeader(context.responseHeaders, &sink, escaping)
    case .responseTrailer: return writeHeader(context.responseTrailers, &sink, escaping)
    case .requestHeadersBytes: sink.write(decimal: Self.size(context.requestHeaders))
    case .responseHeadersBytes: sink.write(decimal: Self.size(context.responseHeaders))
    case .responseTrailersBytes: sink.write(decimal: Self.size(context.responseTrailers))
    case .path: return writePath(context.requestHeaders, &sink, escaping)
    case .queryParameter, .queryParameters:
      guard let path = context.requestHeaders?.pointee.value(.path),
        let mark = path.firstIndex(of: UInt8(ascii: "?"))
      else { return false }
      let query = path.dropFirst(mark + 1)
      if kind == .queryParameters { return writeText(query, &sink, escaping) }
      guard let value = query.queryParameter(text) else { return false }
      sink.write(value: value.prefix(lengthMax), escaping)

    case .startTime: writeTime(stream.pointee.startWallNanoseconds, context, &sink, escaping)
    case .emitTime:
      let age = stream.pointee.end > stream.pointee.start
        ? stream.pointee.end - stream.pointee.start : 0
      writeTime(
        stream.pointee.startWallNanoseconds &+ Int64(truncatingIfNeeded: age), context, &sink,
        escaping)
    case .commonDuration:
      let begin = from.time(stream)
      let end = to.time(stream)
      guard begin != 0, end != 0, end >= begin else { return false }
      sink.write(decimal: (end - begin) / divisor)
    case .connectionPoolReadyDuration:
      guard stream.pointee.upstreamPoolReadyDuration != 0 else { return false }
      sink.write(decimal: stream.pointee.upstreamPoolReadyDuration / divisor)

    case .bytesReceived: sink.write(decimal: stream.pointee.bytesReceived)
    case .bytesSent: sink.write(decimal: stream.pointee.bytesSent)
    case .downstreamWireBytesReceived:
      sink.write(decimal: stream.pointee.downstreamWireBytesReceived)
    case .downstreamWireBytesSent: sink.write(decimal: stream.pointee.downstreamWireBytesSent)
    case .upstreamWireBytesReceived: sink.write(decimal: stream.pointee.upstreamWireBytesReceived)
    case .upstreamWireBytesSent: sink.write(decimal: stream.pointee.upstreamWireBytesSent)
    case .downstreamHeaderBytesReceived:
      sink.write(decimal: stream.pointee.downstreamHeaderBytesReceived)
    case .downstreamHeaderBytesSent:
      sink.write(decimal: stream.pointee.downstreamHeaderBytesSent)
    case .upstreamHeaderBytesReceived:
      sink.write(decimal: stream.pointee.upstreamHeaderBytesReceived)
    case .upstreamHeaderBytesSent: sink.write(decimal: stream.pointee.upstreamHeaderBytesSent)
    case .responseCode: sink.write(decimal: UInt64(stream.pointee.responseCode))
    case .upstreamAttempts: sink.write(decimal: UInt64(stream.pointee.upstreamAttempts))
    case .connectionID: sink.write(decimal: stream.pointee.connectionID)
    case .upstreamConnectionID: sink.write(decimal: stream.pointee.upstreamConnectionID)
    case .zero: sink.write(decimal: 0)
    case .grpcStatus, .grpcStatusNumber: return writeGRPCStatus(context, &sink, escaping)

    case .protocolVersion: return Self.write(stream.pointee.version, &sink)
    case .upstreamProtocol: return Self.write(stream.pointee.upstreamVersion, &sink)
    case .responseCodeDetails:
      return writeDetails(stream.pointee.responseCodeDetails, &sink, escaping)
    case .connectionTerminationDetails:
      return writeText(stream.pointee.connectionTerminationDetails, &sink, escaping)
    case .upstreamTransportFailureReason:
      return writeDetails(stream.pointee.upstreamTransportFailureReason, &sink, escaping)
    case .downstreamTransportFailureReason:
      return writeDetails(stream.pointee.downstreamTransportFailureReason, &sink, escaping)
    case .responseFlags: Self.writeFlags(stream, long: false, &sink)
    case .responseFlagsLong: Self.writeFlags(stream, long: true, &sink)
    case .upstreamHostName, .upstreamHostNameWithoutPort:
      return writeHostName(stream, &sink, escaping)
    case .upstreamCluster: return writeText(stream.pointee.upstreamCluster, &sink, escaping)
    case .upstreamClusterRaw: return writeText(stream.pointee.upstreamClusterRaw, &sink, escaping)
    case .routeName: return writeText(stream.pointee.routeName, &sink, escaping)
    case .virtualClusterName:
      return writeText(stream.pointee.virtualClusterName, &sink, escaping)
    case .filterChainName: return writeText(stream.pointee.filterChainName, &sink, escaping)
    case .tlsText:
      guard let facts = isUpstream ? stream.pointee.upstreamTLS : stream.pointee.downstreamTLS else { return false }
      return writeText(fact.text(facts), &sink, escaping)
    case .tlsValidFrom, .tlsValidUntil:
      let facts = isUpstream ? stream.pointee.upstreamTLS : stream.pointee.downstreamTLS
      guard let details = facts?.pointee.details,
        let second = kind == .tlsValidFrom ? details.pointee.notBefore : details.pointee.notAfter
      else { return false }
      writeSecond(second, &sink, escaping)
    case .tlsHandshakeDuration:
      guard let facts = stream.pointee.downstreamTLS else { return false }
      sink.write(decimal: facts.pointee.handshakeNanoseconds / 1_000_000)
    case .requestedServerName:
      return writeText(stream.pointee.requestedServerName, &sink, escaping)
    case .streamID:
      // An HTTP stream is known by its request id, as the other hops log it.
      if let headers = context.requestHeaders {
        guard let id = headers.pointee.value(.xRequestID) else { return false }
        return writeText(id, &sink, escaping)
      }
      guard stream.pointee.streamID != 0 else { return false }
      UUIDText.write(high: stream.pointee.streamID, low: stream.pointee.connectionID, to: &sink)
    case .uniqueID:
      guard let random = context.random else { return false }
      UUIDText.write(high: random.pointee.next(), low: random.pointee.next(), to: &sink)
    case .failure: return writeText(stream.pointee.failure, &sink, escaping)
    case .localReplyBody: sink.write(value: stream.pointee.localReplyBody, escaping)
    case .accessLogType: sink.write(context.logType.name)

    case .address, .addressWithoutPort, .port:
      return writeAddress(stream, &sink, escaping)
    case .absent: return false
    case .emptyText: break
    }
    return true
  }

  private func writeText(
    _ view: ByteView, _ sink: inout ByteSink, _ escaping: ValueEscaping
  ) -> Bool {
    if view.isEmpty { return false }
    sink.write(value: view.prefix(lengthMax), escaping)
    return true
  }

  /// Text whose white space becomes underscores, so that a log line splits well at spaces.
  private func writeDetails(
    _ view: ByteView, _ sink: inout ByteSink, _ escaping: ValueEscaping
  ) -> Bool {
    if view.isEmpty { return false }
    let mark = sink.count
    sink.write(value: view, escaping)
    if !flag { sink.replaceWhitespace(from: mark) }
    return true
  }

  private func writeHeader(
    _ headers: UnsafePointer<HeaderMap>?, _ sink: inout ByteSink, _ escaping: ValueEscaping
  ) -> Bool {
    guard let headers else { return false }
    var found = headers.pointee.value(name: text, known: known)
    if found == nil, !alternative.isEmpty {
      found = headers.pointee.value(name: alternative, known: alternativeKnown)
    }
    guard let found else { return false }
    sink.write(value: found.prefix(lengthMax), escaping)
    return true
  }

  private static func size(_ headers: UnsafePointer<HeaderMap>?) -> UInt64 {
    guard let headers else { return 0 }
    var total = 0
    for i in 0..<headers.pointee.slotCount {
      let field = headers.pointee[slot: i]
      if !field.isRemoved { total &+= field.name.count &+ field.value.count }
    }
    return UInt64(total)
  }

  private func writePath(
    _ headers: UnsafePointer<HeaderMap>?, _ sink: inout ByteSink, _ escaping: ValueEscaping
  ) -> Bool {
    guard let headers else { return false }
    var path: ByteView?
    if pathSource != .path { path = headers.pointee.value(.envoyOriginalPath) }
    if pathSource != .original, path == nil { path = headers.pointee.value(.path) }
    guard var path else { return false }
    if flag, let mark = path.firstIndex(of: UInt8(ascii: "?")) { path = path.prefix(mark) }
    sink.write(value: path.prefix(lengthMax), escaping)
    return true
  }

  private func writeTime(
    _ nanoseconds: Int64, _ context: borrowing FormatContext, _ sink: inout ByteSink,
    _ escaping: ValueEscaping
  ) {
    guard let time else { return }
    if escaping == .json, time.pointee.needsEscaping {
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: TimeFormat.textBytesMax) { room in
        guard let base = room.baseAddress else { return }
        var text = ByteSink(base, capacity: TimeFormat.textBytesMax)
        TimeFormatCache.writeUncached(time.pointee, nanoseconds: nanoseconds, to: &text)
        JSONText.write(text.written, to: &sink)
      }
    } else if let cache = context.timeCache {
      cache.pointee.write(time.pointee, nanoseconds: nanoseconds, to: &sink)
    } else {
      TimeFormatCache.writeUncached(time.pointee, nanoseconds: nanoseconds, to: &sink)
    }
  }

  /// A time that may be further away than nanoseconds reach.
  private func writeSecond(_ second: Int64, _ sink: inout ByteSink, _ escaping: ValueEscaping) {
    guard let time else { return }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: TimeFormat.textBytesMax) { room in
      guard let base = room.baseAddress else { return }
      var text = ByteSink(base, capacity: TimeFormat.textBytesMax)
      time.pointee.write(second: second, to: &text) { _, _ in }
      if escaping == .json, time.pointee.needsEscaping {
        JSONText.write(text.written, to: &sink)
      } else {
        sink.write(text.written)
      }
    }
  }

  private static func writeFlags(_ stream: UnsafePointer<StreamInfo>, long: Bool, _ sink: inout ByteSink) {
    ResponseFlagText.write(stream.pointee.flags, long: long, isRequest: stream.pointee.version != .none, to: &sink)
  }

  private static func write(_ version: StreamInfo.ProtocolVersion, _ sink: inout ByteSink) -> Bool {
    switch version {
    case .none: return false
    case .http10: sink.write("HTTP/1.0")
    case .http11: sink.write("HTTP/1.1")
    case .http2: sink.write("HTTP/2")
    }
    return true
  }

  private func writeHostName(
    _ stream: UnsafePointer<StreamInfo>, _ sink: inout ByteSink, _ escaping: ValueEscaping
  ) -> Bool {
    let withoutPort = kind == .upstreamHostNameWithoutPort
    var name = stream.pointee.upstreamHostName
    if name.isEmpty {
      let host = stream.pointee.upstreamHost
      if host.isNone { return false }
      sink.write(host, withPort: !withoutPort, escaping)
      return true
    }
    if withoutPort, let port = name.portStart { name = name.prefix(port) }
    sink.write(value: name, escaping)
    return true
  }

  private func writeAddress(
    _ stream: UnsafePointer<StreamInfo>, _ sink: inout ByteSink, _ escaping: ValueEscaping
  ) -> Bool {
    let address =
      switch endpoint {
      case .downstreamRemote: stream.pointee.downstreamRemote
      case .downstreamDirectRemote: stream.pointee.downstreamDirectRemote
      case .downstreamLocal: stream.pointee.downstreamLocal
      case .upstreamHost: stream.pointee.upstreamHost
      case .upstreamLocal: stream.pointee.upstreamLocal
      }
    if address.isNone { return false }
    if kind == .port {
      guard address.ip != nil else { return false }
      sink.write(decimal: UInt64(address.port))
      return true
    }
    sink.write(address, withPort: kind == .address, escaping)
    return true
  }

  private func writeGRPCStatus(
    _ context: borrowing FormatContext, _ sink: inout ByteSink, _ escaping: ValueEscaping
  ) -> Bool {
    guard let headers = context.requestHeaders,
      let type = headers.pointee.value(.contentType), GRPC.isGRPC(contentType: type)
    else { return false }
    var text = context.responseTrailers?.pointee.value(.grpcStatus)
    if text == nil { text = context.responseHeaders?.pointee.value(.grpcStatus) }
    let status: GRPCStatus
    if let text {
      guard let code = text.decimal(limit: UInt64(UInt32.max)) else { return false }
      status = GRPCStatus(code: UInt32(truncatingIfNeeded: code))
    } else if context.stream.pointee.responseCode != 0 {
      status = GRPCStatus(httpStatus: context.stream.pointee.responseCode)
    } else {
      return false
    }
    if kind == .grpcStatus, let name = status.name(snake: flag) {
      sink.write(name)
    } else {
      sink.write(decimal: UInt64(status.code))
    }
    return true
  }
}

extension FormatOperation.TimePoint {
  func time(_ stream: UnsafePointer<StreamInfo>) -> UInt64 {
    switch self {
    case .downstreamReceiveBegin: stream.pointee.start
    case .downstreamReceiveEnd: stream.pointee.requestEnd
    case .upstreamConnectEnd: stream.pointee.upstreamConnected
    case .upstreamSendBegin: stream.pointee.upstreamRequestStart
    case .upstreamSendEnd: stream.pointee.upstreamRequestEnd
    case .upstreamReceiveBegin: stream.pointee.upstreamResponseStart
    case .upstreamReceiveEnd: stream.pointee.upstreamResponseEnd
    case .downstreamSendBegin: stream.pointee.downstreamResponseStart
    case .downstreamSendEnd: stream.pointee.end
    }
  }
}
