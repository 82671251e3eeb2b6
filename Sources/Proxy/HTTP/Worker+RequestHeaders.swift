import Format
import HTTP1
import HTTPCore
import Primitives
import Reactor
import Routing
import Stats

/// What the connection manager does with a request's headers before any filter sees them.
extension Worker {
  /// - Parameter isUpgrade: The request asks to leave HTTP: what follows its head is of another protocol.
  func handleRequest(
    _ stream: HTTPStreamRef, endsStream: Bool, expectsContinue: Bool, isUpgrade: Bool
  ) {
    let manager = stream.pointee.manager
    var endsStream = endsStream
    if let type = stream.pointee.request.value(.contentType), GRPC.isGRPC(contentType: type) {
      stream.pointee.flags.insert(.isGRPC)
    }
    if expectsContinue {
      if manager.pointee.proxy100Continue {
        stream.pointee.flags.insert(.forwardsContinue)
      } else {
        stream.pointee.request.remove(.expect)
        codecWriteInterim(stream, 100, nil)
      }
    } else if !manager.pointee.proxy100Continue {
      stream.pointee.request.remove(.expect)
    }
    if stream.pointee.has(.isHTTP10), stream.pointee.request.value(.authority) == nil,
      let host = manager.pointee.defaultHostForHTTP10
    {
      stream.pointee.request.append(.authority, host.view)
    }
    guard stream.pointee.request.value(.authority)?.isEmpty == false else {
      sendLocalReply(
        stream, status: 400, body: .empty, details: "missing_host_header", flags: [])
      return
    }
    guard normalizeTarget(stream) else { return }
    normalizeHost(stream)
    identifyClient(stream)
    if manager.pointee.terminalReference == nil { chooseRoute(stream) }
    if isUpgrade {
      switch admitUpgrade(stream) {
      case .admitted: break
      case .refused: return
      case .ordinary:
        if !stream.pointee.has(.isHTTP2) {
          http1RequestReceived(stream)
          endsStream = true
        }
      }
    }
    decodeHeaders(stream, from: 0, endsStream: endsStream)
  }

  // MARK: Target and host

  /// False when the request has been answered.
  private func normalizeTarget(_ stream: HTTPStreamRef) -> Bool {
    let manager = stream.pointee.manager
    guard let path = stream.pointee.request.value(.path) else {
      // CONNECT without a route that takes it.
      return true
    }
    if path == "*" { return true }
    guard path.count > 0, path[0] == UInt8(ascii: "/") else {
      slab.increment(manager.pointee.stats.rqNonRelativePath)
      sendLocalReply(
        stream, status: 404, body: .empty, details: "absolute_path_rejected", flags: [])
      return false
    }
    let rules = manager.pointee.pathRules
    if rules.isIdle { return true }
    switch rules.apply(path, arena: &stream.pointee.arena) {
    case .path(let normalized):
      if normalized.base != path.base { stream.pointee.request.set(.path, normalized) }
      return true
    case .redirect(let normalized):
      slab.increment(manager.pointee.stats.rqRedirectedWithNormalizedPath)
      sendLocalReply(
        stream, status: 307, body: .empty, details: "path_normalization_failed", flags: [],
        decorate: { $0.append(.location, normalized) })
      return false
    case .reject:
      slab.increment(manager.pointee.stats.rqFailedPathNormalization)
      sendLocalReply(
        stream, status: 400, body: .empty, details: "path_normalization_failed", flags: [])
      return false
    }
  }

  private func normalizeHost(_ stream: HTTPStreamRef) {
    let rules = stream.pointee.manager.pointee.hostRules
    guard !rules.isIdle, let host = stream.pointee.request.value(.authority) else { return }
    let port = stream.pointee.info.downstreamLocal.port
    stream.pointee.request.set(
      .authority, rules.apply(host, localPort: port, arena: &stream.pointee.arena))
  }

  // MARK: Who is asking (proxy-semantics: x-forwarded-for, internal requests, x-request-id)

  private func identifyClient(_ stream: HTTPStreamRef) {
    let manager = stream.pointee.manager
    let connection = stream.pointee.connection
    let peer = connection.pointee.client
    let forwarded = stream.pointee.request.value(.xForwardedFor)
    let trusted = trustedAddress(stream, peer: peer, forwarded: forwarded)
    if let trusted { stream.pointee.info.downstreamRemote.ip = trusted }
    let isInternal = isInternalRequest(stream, trusted: trusted, forwarded: forwarded)
    let isEdge = !isInternal && manager.pointee.useRemoteAddress
    if isInternal { stream.pointee.flags.insert(.isInternal) }
    if isEdge { stream.pointee.flags.insert(.isAtEdge) }
    forwardAddress(stream, peer: peer, forwarded: forwarded)
    forwardProtocol(stream)
    sanitize(stream, isInternal: isInternal, isEdge: isEdge)
    if isEdge, let trusted {
      stream.pointee.request.set(.envoyExternalAddress, addressText(stream, trusted))
    }
    if isInternal { stream.pointee.request.set(.envoyInternal, ByteView("true")) }
    assignRequestID(stream, isEdge: isEdge)
    if manager.pointee.addUserAgent { addUserAgent(stream) }
    if let via = manager.pointee.via { appendVia(&stream.pointee.request, via.view) }
    if manager.pointee.certificateForwarding == .sanitize {
      stream.pointee.request.remove(.xForwardedClientCert)
    } else {
      forwardCertificate(stream)
    }
  }

  /// `x-forwarded-client-cert`: only a client that has shown a certificate is believed what it says, and what is said of it
  /// was written down when its handshake ended.
  private func forwardCertificate(_ stream: HTTPStreamRef) {
    let forwarding = stream.pointee.manager.pointee.certificateForwarding
    if forwarding == .alwaysForwardOnly { return }
    guard let tls = stream.pointee.connection.pointee.tls, tls.pointee.peer != nil else {
      stream.pointee.request.remove(.xForwardedClientCert)
      return
    }
    if forwarding == .forwardOnly { return }
    guard let element = tls.pointee.facts.details?.pointee.forwardedElement, !element.isEmpty else {
      // Whatever the reason that nothing is known: nobody else's word stands in for it.
      stream.pointee.request.remove(.xForwardedClientCert)
      return
    }
    let isAlone = forwarding == .sanitizeSet
    stream.pointee.request.set(.xForwardedClientCert, isAlone ? element : joined(stream, element))
  }

  /// All that a request says of certificates so far, and the element behind it.
  private func joined(_ stream: HTTPStreamRef, _ element: ByteView) -> ByteView {
    var size = element.count
    for i in 0..<stream.pointee.request.slotCount {
      let field = stream.pointee.request[slot: i]
      if field.known == .xForwardedClientCert, !field.isRemoved { size &+= field.value.count &+ 1 }
    }
    if size == element.count { return element }
    var sink = ByteSink(stream.pointee.arena.allocate(size), capacity: size)
    for i in 0..<stream.pointee.request.slotCount {
      let field = stream.pointee.request[slot: i]
      guard field.known == .xForwardedClientCert, !field.isRemoved, !field.value.isEmpty else { continue }
      sink.write(field.value)
      sink.write(UInt8(ascii: ","))
    }
    sink.write(element)
    return sink.written
  }

  private func trustedAddress(_ stream: HTTPStreamRef, peer: IPAddress?, forwarded: ByteView?)
    -> IPAddress?
  {
    let manager = stream.pointee.manager
    let hops = manager.pointee.trustedHops
    if manager.pointee.useRemoteAddress {
      if hops == 0 { return peer }
      return forwarded.flatMap { ForwardedFor.address($0, fromRight: hops - 1) } ?? peer
    }
    guard let forwarded else { return peer }
    return ForwardedFor.address(forwarded, fromRight: hops) ?? peer
  }

  private func isInternalRequest(
    _ stream: HTTPStreamRef, trusted: IPAddress?, forwarded: ByteView?
  ) -> Bool {
    let manager = stream.pointee.manager
    guard let trusted else { return manager.pointee.internalUnixSockets }
    let ranges = manager.pointee.internalRanges.buffer
    if ranges.isEmpty { return false }
    if manager.pointee.useRemoteAddress {
      guard forwarded == nil else { return false }
    } else {
      guard let forwarded, forwarded.firstIndex(of: UInt8(ascii: ",")) == nil else { return false }
    }
    for range in ranges where range.contains(trusted) { return true }
    return false
  }

  private func forwardAddress(_ stream: HTTPStreamRef, peer: IPAddress?, forwarded: ByteView?) {
    let manager = stream.pointee.manager
    guard manager.pointee.useRemoteAddress, !manager.pointee.skipXFFAppend, let peer else { return }
    let room = stream.pointee.arena.allocate((forwarded?.count ?? 0) + 48)
    var count = 0
    if let forwarded, !forwarded.isEmpty {
      room.update(from: forwarded.base, count: forwarded.count)
      count = forwarded.count
      room[count] = UInt8(ascii: ",")
      count += 1
    }
    // A loopback address means nothing to the next hop: this machine's own goes instead.
    let shown = peer.isLoopback ? MachineAddress.shared : peer
    count += shown.write(to: room + count)
    stream.pointee.request.set(.xForwardedFor, ByteView(room, count))
  }

  private func forwardProtocol(_ stream: HTTPStreamRef) {
    let manager = stream.pointee.manager
    let overwrites = manager.pointee.useRemoteAddress && manager.pointee.trustedHops == 0
    let forwarded = stream.pointee.request.value(.xForwardedProto)
    let isValid = forwarded.map { $0 == "http" || $0 == "https" } ?? false
    if overwrites || !isValid {
      stream.pointee.request.set(
        .xForwardedProto, stream.pointee.connection.pointee.has(.isTLS) ? ByteView("https") : ByteView("http"))
    }
    if !stream.pointee.request.contains(.scheme) {
      stream.pointee.request.append(
        .scheme, stream.pointee.request.value(.xForwardedProto) ?? ByteView("http"))
    }
    if manager.pointee.appendForwardedPort,
      overwrites || !stream.pointee.request.contains(.xForwardedPort)
    {
      let port = UInt64(stream.pointee.info.downstreamLocal.port)
      stream.pointee.request.set(.xForwardedPort, stream.pointee.request.decimal(port))
    }
  }

  /// Headers that outsiders must not be able to set.
  private func sanitize(_ stream: HTTPStreamRef, isInternal: Bool, isEdge: Bool) {
    // They are almost never there.
    guard !isInternal, stream.pointee.request.hasAny(of: ExternalHeaders.all) else { return }
    stream.pointee.request.remove(.envoyInternal)
    for known in ExternalHeaders.removed.buffer { stream.pointee.request.remove(known) }
    if isEdge {
      for known in ExternalHeaders.removedAtEdge.buffer { stream.pointee.request.remove(known) }
    }
  }

  private func addressText(_ stream: HTTPStreamRef, _ address: IPAddress) -> ByteView {
    let room = stream.pointee.arena.allocate(48)
    return ByteView(room, address.write(to: room))
  }

  private func assignRequestID(_ stream: HTTPStreamRef, isEdge: Bool) {
    let manager = stream.pointee.manager
    let existing = stream.pointee.request.value(.xRequestID)
    if isEdge, existing != nil, manager.pointee.preserveExternalRequestID {
      clearTraceReason(stream, existing)
      return
    }
    guard manager.pointee.generateRequestID, isEdge || existing == nil else { return }
    let room = stream.pointee.arena.allocate(RequestID.length)
    RequestID.write(to: room, &random)
    stream.pointee.request.set(.xRequestID, ByteView(room, RequestID.length))
  }

  /// Whether this request is traced is ours to decide at the edge.
  private func clearTraceReason(_ stream: HTTPStreamRef, _ id: ByteView?) {
    guard stream.pointee.manager.pointee.packTraceReason, let id, id.count == RequestID.length,
      id[RequestID.tracePosition] != RequestID.untraced
    else { return }
    let copy = stream.pointee.arena.copy(id)
    UnsafeMutablePointer(mutating: copy.base)[RequestID.tracePosition] = RequestID.untraced
    stream.pointee.request.set(.xRequestID, copy)
  }

  private func addUserAgent(_ stream: HTTPStreamRef) {
    let manager = stream.pointee.manager
    let cluster = manager.pointee.serviceCluster.view
    guard !cluster.isEmpty else { return }
    stream.pointee.request.set(.envoyDownstreamServiceCluster, cluster)
    if !stream.pointee.request.contains(.userAgent) {
      stream.pointee.request.append(.userAgent, cluster)
    }
    if !manager.pointee.serviceNode.view.isEmpty {
      stream.pointee.request.set(.envoyDownstreamServiceNode, manager.pointee.serviceNode.view)
    }
  }

  private func appendVia(_ map: inout HeaderMap, _ via: ByteView) {
    guard let existing = map.value(.via), !existing.isEmpty else {
      map.set(.via, via)
      return
    }
    let room = map.arenaPointer.pointee.allocate(existing.count + via.count + 2)
    room.update(from: existing.base, count: existing.count)
    room[existing.count] = UInt8(ascii: ",")
    room[existing.count + 1] = UInt8(ascii: " ")
    (room + existing.count + 2).update(from: via.base, count: via.count)
    map.set(.via, ByteView(room, existing.count + via.count + 2))
  }

  // MARK: Response

  /// What every response gets on its way out.
  func finishResponseHeaders(_ stream: HTTPStreamRef) {
    let manager = stream.pointee.manager
    if !stream.pointee.response.contains(.date) {
      stream.pointee.response.append(
        .date, http.date.view(wallNanoseconds: wallNow, arena: &stream.pointee.arena))
    }
    switch manager.pointee.serverHeader {
    case .overwrite: stream.pointee.response.set(.server, manager.pointee.serverName.view)
    case .appendIfAbsent:
      if !stream.pointee.response.contains(.server) {
        stream.pointee.response.append(.server, manager.pointee.serverName.view)
      }
    case .passThrough: break
    }
    if manager.pointee.alwaysSetRequestIDInResponse
      || stream.pointee.request.contains(.envoyForceTrace),
      let id = stream.pointee.request.value(.xRequestID)
    {
      stream.pointee.response.set(.xRequestID, id)
    }
    if let via = manager.pointee.via { appendVia(&stream.pointee.response, via.view) }
  }
}

/// Headers that only internal callers may use.
public enum ExternalHeaders {
  public static let removed = FrozenList<KnownHeader>([
    .envoyRetryOn, .envoyRetryGrpcOn, .envoyMaxRetries, .envoyRetriableStatusCodes,
    .envoyRetriableHeaderNames, .envoyUpstreamAltStatName, .envoyUpstreamRqTimeoutMs,
    .envoyUpstreamRqPerTryTimeoutMs, .envoyUpstreamRqTimeoutAltResponse,
    .envoyExpectedRqTimeoutMs, .envoyForceTrace, .envoyIPTags, .envoyOriginalURL,
    .envoyHedgeOnPerTryTimeout, .apusFailure,
  ])
  public static let removedAtEdge = FrozenList<KnownHeader>([
    .envoyDecoratorOperation, .envoyDownstreamServiceCluster, .envoyDownstreamServiceNode,
    .envoyOriginalPath, .envoyOriginalHost,
  ])
  /// Both, and the one that says who is internal.
  static let all = KnownHeaderSet([.envoyInternal] + Array(removed.buffer) + Array(removedAtEdge.buffer))
}

/// Reads `x-forwarded-for` from the right: every proxy appends, so the right is what we trust most.
enum ForwardedFor {
  /// The address `index` places from the right (0 = the last); nil when there are fewer, or it is
  /// no address.
  static func address(_ list: ByteView, fromRight index: Int) -> IPAddress? {
    var end = list.count
    var left = index
    while true {
      var start = end
      while start > 0, list[start - 1] != UInt8(ascii: ",") { start -= 1 }
      if left == 0 { return parse(list.slice(from: start, to: end).trimmed()) }
      guard start > 0 else { return nil }
      left -= 1
      end = start - 1
    }
  }

  private static func parse(_ text: ByteView) -> IPAddress? {
    guard text.count > 0, text.count < 46 else { return nil }
    return IPAddress(text)
  }
}
