import Glibc
import HTTPCore
import Primitives
import Reactor
import Stats

extension Worker {
  private static let backoffMilliseconds: UInt64 = 100

  /// Arms every listening socket that is not.
  func armListeners() {
    for i in sockets.indices where !sockets[i].isArmed && !sockets[i].isClosing {
      sockets[i].isArmed = true
      ring.accept(sockets[i].fd, token: acceptToken(i))
    }
  }

  func acceptToken(_ index: Int) -> Token {
    Token(.accept, slot: UInt32(index), generation: sockets[index].generation)
  }

  func onAccept(_ completion: Completion) {
    let index = Int(completion.token.slot)
    guard index < sockets.count,
      sockets[index].generation & 0xFF_FFFF == completion.token.generation
    else {
      if completion.result >= 0 { kernel.close(completion.result) }
      return
    }
    if !completion.hasMore { sockets[index].isArmed = false }
    if completion.result >= 0 {
      distribute(completion.result, socket: index)
    } else if sockets[index].isClosing {
      // cancelled: the listener goes
    } else {
      acceptFailed(-completion.result, socket: index)
    }
    if sockets[index].isClosing {
      if !sockets[index].isArmed { closeSocket(index) }
    } else if !completion.hasMore, completion.result >= 0 {
      armListeners()
    }
  }

  private func acceptFailed(_ code: Int32, socket index: Int) {
    switch code {
    case EMFILE, ENFILE, ENOBUFS, ENOMEM:
      // No descriptor or memory: the queue keeps the clients, open connections go on, and we look
      // again soon instead of spinning.
      let listener = listeners[sockets[index].listener]
      slab.increment(listener.epoch.pointee.pointer.pointee.stats.cxOverflow)
      environment.flags.noteAcceptOverflow()
      timers.schedule(acceptBackoff, at: now / 1_000_000 + Self.backoffMilliseconds)
    default:
      // The client went away before it was accepted, or the like.
      timers.schedule(acceptBackoff, at: now / 1_000_000 + 1)
    }
  }

  /// Keeps a new connection, or gives it to a worker with less to do.
  private func distribute(_ fd: Int32, socket index: Int) {
    if let loads {
      let target = isDraining ? self.index : loads.choose(for: self.index, now: now)
      if target != self.index, index <= Int(Self.socketIndexMask) {
        handOver(fd, to: target, loads: loads, socket: index)
        return
      }
      loads.give(to: self.index)
    }
    accepted(
      fd, listeners[sockets[index].listener].epoch,
      addressIndex: UInt16(truncatingIfNeeded: sockets[index].addressIndex))
  }

  /// A connection that this worker keeps.
  func accepted(
    _ fd: Int32, _ epoch: UnsafeMutablePointer<ListenerEpoch>, addressIndex: UInt16
  ) {
    let config = epoch.pointee.pointer
    guard let connection = connections.allocate() else {
      kernel.close(fd)
      loads?.take(from: index)
      slab.increment(config.pointee.stats.cxOverflow)
      return
    }
    connection.pointee.fd = fd
    connection.pointee.role = .listenerFilter
    connection.pointee.id = nextConnectionID
    nextConnectionID &+= 1
    connection.pointee.createdAt = now
    connection.pointee.lastActivityAt = now
    connection.pointee.outputLimit = config.pointee.bufferLimitBytes
    connection.pointee.addressIndex = addressIndex
    connection.pointee.epoch = epoch
    epoch.pointee.connectionCount += 1
    link(connection, to: epoch)
    if case .ip(let ip, let port)? = kernel.address(of: fd, peer: true) {
      connection.pointee.peer = ip
      connection.pointee.peerPort = port
      connection.pointee.client = ip
      connection.pointee.clientPort = port
    }
    if isDraining || epoch.pointee.isDraining { connection.pointee.flags.insert(.drains) }
    let stats = config.pointee.stats
    slab.increment(stats.cxTotal)
    slab.increment(stats.cxActive)
    slab.increment(environment.stats.connections)
    if index >= 0, index < stats.workerCxTotal.buffer.count {
      slab.increment(stats.workerCxTotal.buffer[index])
      slab.increment(stats.workerCxActive.buffer[index])
    }
    if !config.pointee.accessLogs.isEmpty {
      let record = connectionRecords.take()
      record.initialize(to: ConnectionRecord())
      connection.pointee.record = record
    }
    connection.pointee.listenerFilters = config.pointee.listenerFilters
    if !connection.pointee.listenerFilters.isEmpty {
      slab.increment(stats.preCxActive)
      let limit = config.pointee.listenerFiltersTimeoutNanoseconds
      if limit > 0 {
        connection.pointee.deadline = now &+ limit
        ensureTimer(connection, by: connection.pointee.deadline)
      }
      startReading(connection)
    } else {
      chooseChain(connection)
    }
  }

  // MARK: Listener filters

  func listenerFilterReceived(_ connection: ConnectionRef, _ segment: SegmentRef) {
    guard let config = connection.pointee.epoch?.pointee.pointer else {
      segments.release(segment)
      return
    }
    segments.park(segment, in: &connection.pointee.input)
    // Each filter reads what those before it have left, until one waits for more.
    if connection.pointee.listenerFilters.contains(.proxyProtocol) {
      switch readProxyHeader(connection, config) {
      case .done: connection.pointee.listenerFilters.remove(.proxyProtocol)
      case .needsMore: return
      case .refused:
        close(connection, isLocal: true)
        return
      }
    }
    if connection.pointee.listenerFilters.contains(.tlsInspector) {
      switch inspectTLS(connection, config) {
      case .needsMore: return
      case .refused: close(connection, isLocal: true)
      case .plain: listenerFiltersDone(connection)
      case .tls(let serverName, let protocols):
        listenerFiltersDone(connection, isTLS: true, serverName: serverName, protocols: protocols)
      }
      return
    }
    listenerFiltersDone(connection)
  }

  /// What became of a listener filter's look at the held input.
  private enum FilterOutcome { case done, needsMore, refused }

  private func readProxyHeader(
    _ connection: ConnectionRef, _ config: UnsafeMutablePointer<ListenerConfig>
  ) -> FilterOutcome {
    let view = contiguousInput(connection)
    switch ProxyProtocolParser.parse(view) {
    case .needMore:
      return view.count >= ProxyProtocolParser.lengthMax ? .refused : .needsMore
    case .absent where config.pointee.proxyProtocol.allowsRequestsWithout:
      return .done
    case .absent, .invalid:
      slab.increment(config.pointee.stats.proxyProtocolError)
      return .refused
    case .complete(let length, let addresses):
      segments.drop(length, from: &connection.pointee.input)
      if let addresses {
        connection.pointee.client = addresses.source
        connection.pointee.clientPort = addresses.sourcePort
      }
      return .done
    }
  }

  /// All held input in one run (a header may arrive in pieces).
  func contiguousInput(_ connection: ConnectionRef) -> ByteView {
    contiguous(&connection.pointee.input)
  }

  func contiguous(_ queue: inout SegmentQueue) -> ByteView {
    guard let head = queue.head else { return .empty }
    if head.pointee.next == nil { return ByteView(head.pointee.base, head.pointee.count) }
    var joined = SegmentQueue()
    let target = segments.reserve(queue.byteCount, in: &joined)
    var at = 0
    while let segment = queue.removeFirst() {
      (target + at).update(from: segment.pointee.base, count: segment.pointee.count)
      at += segment.pointee.count
      segments.release(segment)
    }
    queue = joined
    return ByteView(target, at)
  }

  private func listenerFiltersDone(
    _ connection: ConnectionRef, isTLS: Bool = false, serverName: ByteView = .empty,
    protocols: ByteView = .empty
  ) {
    connection.pointee.deadline = 0
    connection.pointee.listenerFilters = []
    if let config = connection.pointee.epoch?.pointee.pointer {
      slab.decrement(config.pointee.stats.preCxActive)
    }
    chooseChain(connection, isTLS: isTLS, serverName: serverName, protocols: protocols)
    if !connection.pointee.has(.closed), connection.pointee.input.head != nil {
      // Nobody has counted what the filters left.
      countReceived(connection, connection.pointee.input.byteCount)
      makeReady(connection)
    }
  }

  func listenerFilterTimedOut(_ connection: ConnectionRef) {
    guard let config = connection.pointee.epoch?.pointee.pointer else { return }
    slab.increment(config.pointee.stats.preCxTimeout)
    if config.pointee.continueOnListenerFiltersTimeout {
      listenerFiltersDone(connection)
    } else {
      close(connection, isLocal: true)
    }
  }

  // MARK: Filter chain

  /// - Parameters: What a ClientHello has told; views are valid during the call.
  private func chooseChain(
    _ connection: ConnectionRef, isTLS: Bool = false, serverName: ByteView = .empty,
    protocols: ByteView = .empty
  ) {
    guard let config = connection.pointee.epoch?.pointee.pointer else { return }
    var candidate = FilterChainMatcher.Connection(
      destination: nil, destinationPort: 0, source: connection.pointee.client,
      sourcePort: connection.pointee.clientPort, directSource: connection.pointee.peer)
    candidate.isTLS = isTLS
    candidate.serverName = serverName
    candidate.protocols = protocols
    if config.pointee.needsDestination,
      case .ip(let ip, let port)? = kernel.address(of: connection.pointee.fd, peer: false)
    {
      candidate.destination = ip
      candidate.destinationPort = port
    }
    guard let index = config.pointee.matcher.lookup.match(candidate) else {
      slab.increment(config.pointee.stats.noFilterChainMatch)
      if let record = connection.pointee.record {
        record.pointee.flags = [.noRouteFound]
        record.pointee.details = ByteView("filter_chain_not_found")
      }
      connection.pointee.role = .closing
      close(connection, isLocal: true)
      return
    }
    let chain = config.pointee.chains.buffer[index].pointer
    connection.pointee.chain = chain
    guard admit(connection, chain) else { return }
    if chain.pointee.transport == nil {
      startTerminal(connection)
    } else {
      tlsAccept(connection, chain)
    }
  }

  /// Hands the connection to the filter that its chain ends with: at once, or after the TLS handshake.
  func startTerminal(_ connection: ConnectionRef) {
    guard let chain = connection.pointee.chain else { return }
    switch chain.pointee.terminal {
    case .http: httpStart(connection)
    case .tcpProxy: tcpStart(connection)
    case .directResponse(let text):
      connection.pointee.role = .closing
      connection.pointee.record?.pointee.details = ByteView("direct_response")
      if !text.view.isEmpty {
        segments.copy(text.view, to: &connection.pointee.output)
      }
      finishGracefully(connection, patience: 1_000_000_000)
    }
  }

  /// Counts the connection in its chain's limits; over one of them it is held and closed.
  private func admit(_ connection: ConnectionRef, _ chain: UnsafeMutablePointer<FilterChainConfig>)
    -> Bool
  {
    let limits = chain.pointee.connectionLimits.buffer
    if limits.isEmpty { return true }
    for i in limits.indices {
      guard limits[i].limiter.count.reserve(limit: UInt64(limits[i].max)) else {
        for j in 0..<i { releaseLimit(limits[j]) }
        slab.increment(limits[i].limited)
        connection.pointee.role = .closing
        if limits[i].delayNanoseconds > 0 {
          connection.pointee.deadline = now &+ limits[i].delayNanoseconds
          ensureTimer(connection, by: connection.pointee.deadline)
        } else {
          close(connection, isLocal: true)
        }
        return false
      }
      slab.increment(limits[i].active)
    }
    connection.pointee.flags.insert(.holdsLimits)
    return true
  }

  private func releaseLimit(_ limit: FilterChainConfig.ConnectionLimit) {
    limit.limiter.count.release()
    slab.decrement(limit.active)
  }

  // MARK: The end

  func downstreamClosed(_ connection: ConnectionRef, isLocal: Bool) {
    guard let epoch = connection.pointee.epoch else { return }
    let stats = epoch.pointee.pointer.pointee.stats
    if !connection.pointee.listenerFilters.isEmpty { slab.decrement(stats.preCxActive) }
    loads?.take(from: index)
    slab.increment(stats.cxDestroy)
    slab.decrement(stats.cxActive)
    slab.record(stats.cxLengthMs, (now &- connection.pointee.createdAt) / 1000)
    if index >= 0, index < stats.workerCxActive.buffer.count {
      slab.decrement(stats.workerCxActive.buffer[index])
    }
    if connection.pointee.has(.holdsLimits), let chain = connection.pointee.chain {
      for limit in chain.pointee.connectionLimits.buffer { releaseLimit(limit) }
    }
    if connection.pointee.has(.isHTTPCounted), let manager = httpManager(connection) {
      httpClosed(connection, manager, isLocal: isLocal)
    }
    logConnection(connection)
    unlink(connection, from: epoch)
    connection.pointee.epoch = nil
    epoch.pointee.connectionCount -= 1
    if epoch.pointee.isDraining, epoch.pointee.connectionCount == 0 { freeEpoch(epoch) }
    if isDraining { reportProgress() }
  }

  private func link(_ connection: ConnectionRef, to epoch: UnsafeMutablePointer<ListenerEpoch>) {
    connection.pointee.previous = nil
    connection.pointee.next = epoch.pointee.first
    epoch.pointee.first?.pointee.previous = connection
    epoch.pointee.first = connection
  }

  private func unlink(_ connection: ConnectionRef, from epoch: UnsafeMutablePointer<ListenerEpoch>) {
    connection.pointee.next?.pointee.previous = connection.pointee.previous
    if let previous = connection.pointee.previous {
      previous.pointee.next = connection.pointee.next
    } else {
      epoch.pointee.first = connection.pointee.next
    }
  }
}
