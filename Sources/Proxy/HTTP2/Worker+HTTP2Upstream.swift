import HTTP1
import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats

/// The host side of HTTP/2: one connection carries many requests.
extension Worker {
  func upstreamHTTP2Connected(_ connection: ConnectionRef) {
    guard let pool = connection.pointee.pool,
      let config = connection.pointee.host?.pointee.cluster.pointee.pointer,
      let http2 = config.pointee.http2,
      let h2 = http2Open(connection, http2.pointee.options, isServer: false)
    else {
      // Who waits is told: a connection in its place would end in the same way.
      poolConnectFailed(connection, TransportFailure(view: ByteView("no HTTP/2 session"), isTimeout: false))
      return
    }
    list(connection, h2, pool)
    http2SchedulePing(connection, h2)
    // The requests that waited go out with the preface, at the end of the turn.
    upstreamHTTP2Serve(connection, h2)
    upstreamHTTP2Rests(connection, h2)
  }

  // MARK: Room for requests

  /// Requests that the connection can take now.
  private func hasRoom(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) -> Bool {
    guard !h2.pointee.takesNoMore, !connection.pointee.has(.closed), let pool = connection.pointee.pool,
      let http2 = pool.pointee.host.pointee.cluster.pointee.pointer.pointee.http2
    else { return false }
    let limit = min(http2.pointee.options.maxConcurrentStreams, h2.pointee.session.pointee.peerMaxStreams)
    return h2.pointee.streamCount < limit
  }

  private func list(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ pool: PoolRef) {
    guard !h2.pointee.isListed, hasRoom(connection, h2), !isGivenUp(connection, pool.pointee.host) else { return }
    h2.pointee.isListed = true
    addIdle(connection, pool)
  }

  private func unlist(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ pool: PoolRef) {
    guard h2.pointee.isListed else { return }
    h2.pointee.isListed = false
    removeIdle(connection, pool)
  }

  /// Gives waiting requests to the connection as far as it has room.
  func upstreamHTTP2Serve(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    guard let pool = connection.pointee.pool else { return }
    while let stream = pool.pointee.pending.head, hasRoom(connection, h2) {
      dequeue(stream)
      attach(stream, connection)
      guard http2(connection) == h2 else { return }
    }
  }

  /// Nothing to do: the idle timeout runs.
  private func upstreamHTTP2Rests(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    guard h2.pointee.streamCount == 0, let host = connection.pointee.host else { return }
    connection.pointee.lastActivityAt = now
    let idle = host.pointee.cluster.pointee.pointer.pointee.idleTimeoutNanoseconds
    if idle > 0 { ensureTimer(connection, by: now &+ idle) }
  }

  /// Takes no more requests: closes when those on it are over.
  func upstreamHTTP2Retire(_ connection: ConnectionRef) {
    guard let h2 = http2(connection), let pool = connection.pointee.pool else {
      close(connection, isLocal: true)
      return
    }
    h2.pointee.takesNoMore = true
    unlist(connection, h2, pool)
    markDirty(connection)
  }

  /// After a flush: a retired connection with no request on it says goodbye and closes.
  func upstreamHTTP2CloseIfDone(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    guard h2.pointee.takesNoMore, h2.pointee.streamCount == 0 else { return }
    h2.pointee.session.pointee.shutDown(.noError, "")
    http2Stats(connection) { slab.increment($0.goawaySent) }
    http2PutLastFrames(connection, h2)
    closeAfterFlush(connection, patience: 1_000_000_000)
  }

  // MARK: A request on the connection

  func upstreamHTTP2Occupy(_ connection: ConnectionRef, _ stream: HTTPStreamRef) {
    guard let h2 = http2(connection), let pool = connection.pointee.pool,
      let config = stream.pointee.upstream.cluster?.pointee.pointer
    else { return }
    http2Stats(connection) { slab.increment($0.streamsActive) }
    if let http2 = config.pointee.http2 {
      let quiet = http2.pointee.keepalive?.idleInterval ?? 0
      if quiet > 0, h2.pointee.streamCount == 0, connection.pointee.requestCount > 0,
        now &- connection.pointee.lastActivityAt > quiet
      {
        http2Ping(connection, h2)
      }
    }
    h2.pointee.requests.append(stream)
    h2.pointee.streamCount &+= 1
    let limit = config.pointee.maxRequestsPerConnection
    // The caller counts this request.
    if limit > 0, connection.pointee.requestCount &+ 1 >= limit, !h2.pointee.takesNoMore {
      h2.pointee.takesNoMore = true
      slab.increment(config.pointee.stats.cxMaxRequests)
    }
    if !hasRoom(connection, h2) { unlist(connection, h2, pool) }
  }

  func upstreamHTTP2Vacate(_ connection: ConnectionRef, _ stream: HTTPStreamRef) {
    guard let h2 = http2(connection), let pool = connection.pointee.pool else { return }
    h2.pointee.requests.remove(stream)
    h2.pointee.streamCount &-= 1
    if let codec = stream.pointee.upstream.h2 {
      stream.pointee.upstream.h2 = nil
      http2Unqueued(connection, h2, stream.pointee.upstream.waitingBody.byteCount)
      segments.releaseAll(&stream.pointee.upstream.waitingBody)
      h2.pointee.session.pointee.release(codec)
    }
    http2Stats(connection) { slab.decrement($0.streamsActive) }
    if connection.pointee.has(.closed) { return }
    if isGivenUp(connection, pool.pointee.host) { h2.pointee.takesNoMore = true } else { list(connection, h2, pool) }
    upstreamHTTP2Rests(connection, h2)
    markDirty(connection)
  }

  func http2WriteRequest(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    guard let h2 = http2(connection) else { return }
    let isUpgrade = stream.pointee.has(.isUpgrade)
    let connectProtocol = isUpgrade ? stream.pointee.request.value(.upgrade) : nil
    if connectProtocol != nil, !allowsExtendedConnect(stream, connection, h2) { return }
    let ends =
      stream.pointee.upstream.requestEnded && stream.pointee.upstream.waitingBody.isEmpty
      && !stream.pointee.has(.hasRequestTrailers) && !isUpgrade
    guard
      let codec = h2.pointee.session.pointee.submitRequest(
        stream.pointee.request, connectProtocol: connectProtocol, ends: ends, owner: UnsafeMutableRawPointer(stream))
    else {
      requestRefusedLocally(stream, connection)
      return
    }
    codec.pointee.arena = arena(stream)
    stream.pointee.upstream.h2 = codec
    stream.pointee.upstream.headWritten = true
    let size = stream.pointee.request.wireBytes
    stream.pointee.info.upstreamWireBytesSent &+= UInt64(size)
    stream.pointee.info.upstreamHeaderBytesSent &+= UInt64(size)
    markDirty(connection)
    if ends {
      stream.pointee.info.upstreamRequestEnd = now
    } else {
      let waiting = stream.pointee.upstream.waitingBody.byteCount
      http2Queued(connection, h2, waiting)
      // What follows an upgrade waits until the host has accepted it.
      if !isUpgrade { offer(stream, h2, codec, waiting) }
    }
  }

  // MARK: Upgrades

  /// Extended CONNECT needs the host's word first (RFC 8441 section 3): without its SETTINGS the request waits on the
  /// connection, and without the word in them it fails.
  private func allowsExtendedConnect(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ h2: HTTP2ConnectionRef
  ) -> Bool {
    if h2.pointee.session.pointee.peerAllowsConnect { return true }
    guard h2.pointee.session.pointee.hasPeerSettings else { return false }
    detach(stream, isSuccess: false)
    recordUpstreamCode(stream, 503)
    sendLocalReply(
      stream, status: 503, body: ByteView("upstream does not accept extended CONNECT"),
      details: "upstream_no_extended_connect", flags: [.upstreamProtocolError])
    return false
  }

  /// The host's SETTINGS are here: so are the answers to what waited for them.
  func upstreamHTTP2Settings(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    markDirty(connection)
    var next = h2.pointee.requests.head
    while let stream = next {
      next = stream.pointee.queueNext
      if !stream.pointee.upstream.headWritten { http2WriteRequest(stream, connection) }
    }
    // The host takes more at a time than before, or fewer.
    guard let pool = connection.pointee.pool, http2(connection) == h2 else { return }
    upstreamHTTP2Serve(connection, h2)
    guard http2(connection) == h2 else { return }
    if hasRoom(connection, h2) { list(connection, h2, pool) } else { unlist(connection, h2, pool) }
  }

  /// Bytes behind an upgrade that is not accepted yet are part of what waits on the connection.
  func http2HoldRequestData(_ connection: ConnectionRef, _ count: Int) {
    if let h2 = http2(connection) { http2Queued(connection, h2, count) }
  }

  /// The upgrade is accepted: what was held may go.
  func http2OfferHeldRequest(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    guard let h2 = http2(connection), let codec = stream.pointee.upstream.h2 else { return }
    offer(stream, h2, codec, stream.pointee.upstream.waitingBody.byteCount)
    markDirty(connection)
  }

  // MARK: Body

  /// The head is longer than any peer takes, or the connection has used up its stream numbers.
  private func requestRefusedLocally(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    detach(stream, isSuccess: false)
    if connection.pointee.requestCount > 1 << 29 { upstreamHTTP2Retire(connection) }
    let failure = AttemptFailure(
      cause: .unsendable, flag: .upstreamProtocolError, reason: "request headers too large")
    noteFailure(stream, failure)
    upstreamFailed(stream, failure)
  }

  func http2WriteRequestData(
    _ stream: HTTPStreamRef, _ connection: ConnectionRef, _ data: inout SegmentQueue
  ) {
    guard let h2 = http2(connection), let codec = stream.pointee.upstream.h2 else {
      segments.releaseAll(&data)
      return
    }
    let count = data.byteCount
    http2Queued(connection, h2, count)
    segments.park(&data, in: &stream.pointee.upstream.waitingBody)
    offer(stream, h2, codec, count)
    markDirty(connection)
  }

  private func offer(
    _ stream: HTTPStreamRef, _ h2: HTTP2ConnectionRef, _ codec: HTTP2StreamRef, _ count: Int
  ) {
    let ends = stream.pointee.upstream.requestEnded
    var trailers: UnsafePointer<HeaderMap>?
    if ends, stream.pointee.has(.hasRequestTrailers) {
      let offset = MemoryLayout<HTTPStream>.offset(of: \.requestTrailers) ?? 0
      trailers = (UnsafeRawPointer(stream) + offset).assumingMemoryBound(to: HeaderMap.self)
    }
    if ends { stream.pointee.info.upstreamRequestEnd = now }
    h2.pointee.session.pointee.offer(codec, bytes: count, ends: ends, trailers: trailers)
  }

  func http2ResumeResponse(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    guard let h2 = http2(connection), let codec = stream.pointee.upstream.h2 else { return }
    h2.pointee.session.pointee.consume(codec, codec.pointee.unconsumedBytes)
    markDirty(connection)
  }

  /// Nobody wants the response any more; the connection goes on.
  func http2Abandon(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    if let h2 = http2(connection), let codec = stream.pointee.upstream.h2 {
      h2.pointee.session.pointee.reset(codec, .cancel)
    }
    detach(stream, isSuccess: nil)
  }
}
