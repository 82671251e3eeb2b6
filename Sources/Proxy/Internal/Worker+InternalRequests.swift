import HTTPCore
import Primitives
import Reactor

/// Requests that the process itself makes: HTTP streams like any other, with a connection that has no socket for a client.
/// Pools, limits, retries, timeouts and statistics of clusters are the same code.
extension Worker {
  // MARK: What others may ask

  /// Starts a request: in the next turn of the loop, or at the end of this one.
  ///
  /// - Parameters:
  ///   - body: All of it, or its beginning; copied. Without `content-length` in the head it is sent in chunks.
  ///   - ends: Whether `body` is all of it. The rest comes with ``send(_:to:ends:)``.
  ///   - sink: Is told of the response; nil: it is dropped.
  ///   - head: Fills in the head: `:method`, `:path`, `:authority` and `:scheme` must be there, names are in lower case.
  ///     Texts must outlive the call or be the map's own (`HeaderMap.copy(_:)`).
  /// - Returns: Nil when the worker has no place for one more connection, or has stopped.
  public func startRequest(
    _ settings: InternalRequest.Settings, body: ByteView = .empty, ends: Bool = true, sink: ResponseSink?,
    head: (inout HeaderMap) -> Void
  ) -> InternalRequest? {
    guard let stream = makeInternalStream(settings) else { return nil }
    if let sink { internalExchange(stream)?.pointee.sink = .passRetained(sink) }
    head(&stream.pointee.request)
    beginInternal(stream)
    if ends, !body.isEmpty, !stream.pointee.request.contains(.contentLength) {
      stream.pointee.request.append(.contentLength, stream.pointee.request.decimal(UInt64(body.count)))
    }
    if ends || !body.isEmpty { takeInternalBody(stream, body, ends: ends) }
    return internalRequest(stream)
  }

  /// Sends more of a request's body; copies it.
  ///
  /// - Returns: Whether there is room for more: when not, the sink's ``ResponseSink/writable(_:_:)`` says when there is.
  ///   Bytes are taken in any case. False too when the request is over, or has ended.
  @discardableResult
  public func send(_ bytes: ByteView, to request: InternalRequest, ends: Bool) -> Bool {
    guard let stream = internalStream(request), !stream.pointee.has(.requestComplete) else { return false }
    takeInternalBody(stream, bytes, ends: ends)
    return !stream.pointee.has(.pausedDownstream) && !ends
  }

  /// Ends a request, wherever it is: its sink hears no more of it.
  public func cancel(_ request: InternalRequest) {
    if let stream = internalStream(request) { cancelInternal(stream) }
  }

  /// Takes the connections to a host out of use that could take a request now: it has not answered on them.
  ///
  /// - Parameter index: Where it was among the cluster's hosts: it is looked at first.
  public func retireConnections(cluster slot: UInt32, index: Int, identity: UInt64) {
    guard Int(slot) < clusters.count, let cluster = clusters[Int(slot)],
      let host = namedHost(cluster, index: index, identity: identity)
    else { return }
    host.pointee.users += 1
    closeIdle(host)
    host.pointee.users -= 1
    freeHostIfUnused(host)
  }

  /// Whether the request goes on.
  public func isUnderWay(_ request: InternalRequest) -> Bool { internalStream(request) != nil }

  // MARK: Beginnings

  /// A stream without a client; its head is to be filled in, then ``beginInternal(_:)``.
  func makeInternalStream(_ settings: InternalRequest.Settings) -> HTTPStreamRef? {
    guard !isStopped, let connection = connections.allocate() else { return nil }
    connection.pointee.role = .internalClient
    connection.pointee.id = nextConnectionID
    nextConnectionID &+= 1
    connection.pointee.createdAt = now
    connection.pointee.lastActivityAt = now
    connection.pointee.outputLimit = settings.bufferLimitBytes
    let stream = makeStream(connection, internalManager)
    connection.pointee.session = UnsafeMutableRawPointer(stream)
    stream.pointee.flags.insert([.isInternalClient, .headDone])
    stream.pointee.info.version = .http11
    stream.pointee.idleTimeout = settings.idleTimeout
    stream.pointee.route.timeoutNanoseconds = settings.timeout
    if settings.deadline > 0 {
      let (deadline, overflows) = now.addingReportingOverflow(settings.deadline)
      stream.pointee.durationDeadline = overflows ? 0 : deadline
    }
    let exchange = stream.pointee.arena.allocate(of: InternalExchange.self, count: 1)
    exchange.initialize(to: InternalExchange(target: settings.target))
    stream.pointee.terminalState = UnsafeMutableRawPointer(exchange)
    http.internalRequests += 1
    return stream
  }

  /// The head is there: the loop sends the request when it comes to it, so that nobody who starts one is called back
  /// before he knows its number.
  func beginInternal(_ stream: HTTPStreamRef) {
    let method = RequestMethod(stream.pointee.request.value(.method) ?? .empty)
    stream.pointee.requestMethod = method
    if method == .head { stream.pointee.flags.insert(.isHead) }
    scheduleStreamTimer(stream)
    makeReady(stream.pointee.connection)
  }

  /// The loop has come to it.
  func internalClientReady(_ connection: ConnectionRef) {
    guard let stream = httpStream(connection), let exchange = internalExchange(stream), !exchange.pointee.hasBegun
    else { return }
    exchange.pointee.hasBegun = true
    let ends =
      stream.pointee.has(.requestComplete) && stream.pointee.upstream.waitingBody.isEmpty
      && !stream.pointee.has(.hasRequestTrailers)
    startUpstream(stream, cluster: exchange.pointee.target.cluster, endsStream: ends)
  }

  private func takeInternalBody(_ stream: HTTPStreamRef, _ bytes: ByteView, ends: Bool) {
    var data = SegmentQueue()
    if !bytes.isEmpty { segments.copy(bytes, to: &data) }
    takeInternalBody(stream, &data, ends: ends)
  }

  /// More of the body, trailers in the stream when it ends with them.
  func takeInternalBody(_ stream: HTTPStreamRef, _ data: inout SegmentQueue, ends: Bool) {
    stream.pointee.lastActivityAt = now
    stream.pointee.info.bytesReceived &+= UInt64(data.byteCount)
    if ends {
      stream.pointee.flags.insert([.requestComplete, .decodeEnded])
      stream.pointee.info.requestEnd = now
    }
    routeData(stream, &data, endsStream: ends)
  }

  // MARK: Names

  @inline(__always)
  func internalExchange(_ stream: HTTPStreamRef) -> InternalExchangeRef? {
    stream.pointee.terminalState?.assumingMemoryBound(to: InternalExchange.self)
  }

  func internalRequest(_ stream: HTTPStreamRef) -> InternalRequest {
    let connection = stream.pointee.connection
    return InternalRequest(slot: connection.pointee.slot, generation: connection.pointee.generation & 0xFF_FFFF)
  }

  private func internalStream(_ request: InternalRequest) -> HTTPStreamRef? {
    let token = Token(.ignore, slot: request.slot, generation: request.generation)
    guard let connection = connections.find(token), connection.pointee.role == .internalClient,
      !connection.pointee.has(.closed)
    else { return nil }
    return httpStream(connection)
  }

  // MARK: Hosts

  /// The host that the request names, nil when the cluster has it no more; else one that the balancer chooses.
  func internalHost(_ stream: HTTPStreamRef, _ cluster: ClusterRef) -> HostRef? {
    guard case .host(_, let index, let identity)? = internalExchange(stream)?.pointee.target else {
      return chooseHost(cluster, HostWish(hash: stream.pointee.upstream.hash))
    }
    return namedHost(cluster, index: index, identity: identity)
  }

  /// The cluster's host of this identity, if it has it still.
  func namedHost(_ cluster: ClusterRef, index: Int, identity: UInt64) -> HostRef? {
    let configs = cluster.pointee.set.pointee.hosts.buffer
    func isIt(_ index: Int) -> Bool { configs[index].pointer.pointee.identity == identity }
    guard let place = configs.indices.contains(index) && isIt(index) ? index : configs.indices.first(where: isIt)
    else { return nil }
    return host(cluster, Int32(truncatingIfNeeded: place))
  }
}
