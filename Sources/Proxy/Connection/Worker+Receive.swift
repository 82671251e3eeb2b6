import Glibc
import Primitives
import Reactor
import Stats

extension Worker {
  /// Lets bytes come. Held ones are handed over at the end of the turn.
  func startReading(_ connection: ConnectionRef) {
    guard !connection.pointee.has(.wantsRead), !connection.pointee.has(.closed) else { return }
    connection.pointee.flags.insert(.wantsRead)
    if holdsInput(connection) || connection.pointee.has(.readEnded) {
      makeReady(connection)
    }
    armReceive(connection)
  }

  /// Stops the source: what is already on its way is held in `input`.
  func stopReading(_ connection: ConnectionRef) {
    guard connection.pointee.has(.wantsRead) else { return }
    connection.pointee.flags.remove(.wantsRead)
    if connection.pointee.has(.receiveMultishot) { cancelReceive(connection) }
  }

  func cancelReceive(_ connection: ConnectionRef) {
    guard connection.pointee.has(.receiveArmed), !connection.pointee.has(.receiveCancelling) else {
      return
    }
    connection.pointee.flags.insert(.receiveCancelling)
    ring.cancel(
      connection.pointee.token(.receive), token: Token(.cancel, slot: 0, generation: 0))
  }

  func armReceive(_ connection: ConnectionRef) {
    let flags = connection.pointee.flags
    if !flags.isDisjoint(with: [.receiveArmed, .readEnded, .closed, .isStarved]) { return }
    if let splice = connection.pointee.feeds {
      awaitSpliceable(splice, connection)
      return
    }
    let isBulk = flags.contains(.isBulk)
    connection.pointee.receiveGroup = isBulk ? .large : .small
    connection.pointee.flags.insert(isBulk ? .receiveArmed : [.receiveArmed, .receiveMultishot])
    connection.pointee.inFlight &+= 1
    ring.receive(
      connection.pointee.fd, group: connection.pointee.receiveGroup, isMultishot: !isBulk,
      pollFirst: false, token: connection.pointee.token(.receive))
  }

  func onReceive(_ connection: ConnectionRef, _ completion: Completion) {
    let group = connection.pointee.receiveGroup
    if !completion.hasMore {
      connection.pointee.flags.remove([.receiveArmed, .receiveMultishot, .receiveCancelling])
      connection.pointee.inFlight &-= 1
    }
    if connection.pointee.has(.closed) {
      if let buffer = completion.bufferID { segments.returnUnused(group, buffer: buffer) }
      finishClose(connection)
      return
    }
    let result = completion.result
    if result > 0, let buffer = completion.bufferID {
      let segment = segments.received(group, buffer: buffer, count: Int(result))
      connection.pointee.lastActivityAt = now
      noteSize(connection, Int(result), group)
      received(connection, segment)
      if !completion.hasMore, connection.pointee.has(.wantsRead) { armReceive(connection) }
      return
    }
    if let buffer = completion.bufferID { segments.returnUnused(group, buffer: buffer) }
    switch -result {
    case 0:
      if connection.pointee.has(.isTLS), tlsSocketEnded(connection) { return }
      connection.pointee.flags.insert(.readEnded)
      let role = connection.pointee.role
      let isStream =
        role == .tcp || role == .upstreamTCP || role == .upstreamHTTP1 || role == .http2
        || role == .upstreamHTTP2 || role == .upstreamTunnel
        || role == .http1 && httpStream(connection).map { $0.pointee.has(.isTunnel) } ?? false
      if isStream, connection.pointee.input.head != nil || tlsHasRecord(connection) {
        // What was received before the end is handled before it.
        makeReady(connection)
      } else {
        readEnded(connection)
      }
    case ECANCELED, EINTR, EAGAIN:
      if !completion.hasMore, connection.pointee.has(.wantsRead) { armReceive(connection) }
    case ENOBUFS:
      slab.increment(environment.stats.bufferStarvations)
      if connection.pointee.has(.wantsRead) { starve(connection) }
    default:
      connection.pointee.flags.insert(.readEnded)
      connectionFailed(connection, errno: -result)
    }
  }

  /// Chooses the buffer size by what the connection has been carrying.
  @inline(__always)
  private func noteSize(_ connection: ConnectionRef, _ count: Int, _ group: SegmentPool.Group) {
    if group == .small {
      if count < segments.bufferSize(.small) {
        connection.pointee.fullReceives = 0
        return
      }
      connection.pointee.fullReceives &+= 1
      if connection.pointee.fullReceives == 3 {
        connection.pointee.flags.insert(.isBulk)
        connection.pointee.fullReceives = 0
        cancelReceive(connection)
      }
    } else {
      // Many short ones in a row: back to the cheap multishot.
      if count > segments.bufferSize(.small) {
        connection.pointee.fullReceives = 0
        return
      }
      connection.pointee.fullReceives &+= 1
      if connection.pointee.fullReceives == 8 {
        connection.pointee.flags.remove(.isBulk)
        connection.pointee.fullReceives = 0
      }
    }
  }

  @inline(__always)
  private func received(_ connection: ConnectionRef, _ segment: SegmentRef) {
    if connection.pointee.has(.isTLS) {
      tlsReceived(connection, segment)
    } else {
      deliver(connection, segment)
    }
  }

  /// Plain bytes: to whoever wants them, or held.
  func deliver(_ connection: ConnectionRef, _ segment: SegmentRef) {
    countReceived(connection, segment.pointee.count)
    // A listener filter keeps what it has seen in `input` itself.
    guard connection.pointee.has(.wantsRead),
      connection.pointee.input.head == nil || keepsInput(connection),
      takesInput(connection)
    else {
      segments.park(segment, in: &connection.pointee.input)
      // Requests sent ahead of their turn are bounded like any other buffer.
      blockInputIfOverLimit(connection)
      return
    }
    dispatch(connection, segment)
  }

  func blockInputIfOverLimit(_ connection: ConnectionRef) {
    guard connection.pointee.input.byteCount &+ tlsHolds(connection) > connection.pointee.outputLimit,
      !takesInput(connection)
    else { return }
    stopReading(connection)
    connection.pointee.flags.insert(.inputBlocked)
  }

  /// Roles that collect what they look at in `input`.
  @inline(__always)
  func keepsInput(_ connection: ConnectionRef) -> Bool {
    connection.pointee.role == .listenerFilter || connection.pointee.role == .httpSniff
  }

  @inline(__always)
  func takesInput(_ connection: ConnectionRef) -> Bool {
    switch connection.pointee.role {
    case .http1: http1TakesInput(connection)
    case .http2: http2TakesInput(connection)
    default: true
    }
  }

  /// Hands bytes to whoever understands them.
  @inline(__always)
  private func dispatch(_ connection: ConnectionRef, _ segment: SegmentRef) {
    switch connection.pointee.role {
    case .http1: http1Received(connection, segment)
    case .http2, .upstreamHTTP2: http2Received(connection, segment)
    case .upstreamHTTP1, .upstreamTunnel: upstreamHTTP1Received(connection, segment)
    case .tcp, .upstreamTCP: tcpReceived(connection, segment)
    case .probe: probeReceived(connection, segment)
    case .listenerFilter: listenerFilterReceived(connection, segment)
    case .httpSniff: httpSniffReceived(connection, segment)
    case .tlsHandshake, .closing, .internalClient, .free: segments.release(segment)
    }
  }

  func readEnded(_ connection: ConnectionRef) {
    switch connection.pointee.role {
    case .http1: http1ReadEnded(connection)
    case .http2: http2ReadEnded(connection)
    case .upstreamHTTP1, .upstreamTunnel: upstreamHTTP1ReadEnded(connection)
    case .upstreamHTTP2: upstreamHTTP2Ended(connection, errno: 0)
    case .tcp, .upstreamTCP: tcpReadEnded(connection)
    case .probe: probeEnded(connection, errno: 0)
    case .listenerFilter, .tlsHandshake, .httpSniff, .closing: close(connection, isLocal: false)
    case .free, .internalClient: break
    }
  }

  func countReceived(_ connection: ConnectionRef, _ count: Int) {
    switch connection.pointee.role {
    case .http1, .http2, .httpSniff:
      connection.pointee.record?.pointee.bytesReceived &+= UInt64(count)
      httpCount(connection, received: count)
    case .upstreamHTTP1, .upstreamHTTP2, .upstreamTCP, .upstreamTunnel, .probe: upstreamCount(connection, received: count)
    case .tcp: tcpCount(connection, received: count)
    case .listenerFilter, .tlsHandshake, .closing, .internalClient, .free: break
    }
  }

  // MARK: Held input

  /// Whether something was received that nobody has taken yet, opened or not.
  @inline(__always)
  func holdsInput(_ connection: ConnectionRef) -> Bool {
    connection.pointee.input.head != nil || connection.pointee.has(.isTLS) && tlsHolds(connection) > 0
  }

  /// Hands held input over at the end of the turn.
  func makeReady(_ connection: ConnectionRef) {
    guard !connection.pointee.has(.isReady) else { return }
    connection.pointee.flags.insert(.isReady)
    connection.pointee.nextReady = ready
    ready = connection
  }

  func handleReady() {
    // One pass: what becomes ready meanwhile is for the next turn, so that one busy connection
    // does not keep the others waiting.
    var next = ready
    ready = nil
    while let connection = next {
      next = connection.pointee.nextReady
      connection.pointee.nextReady = nil
      connection.pointee.flags.remove(.isReady)
      if connection.pointee.has(.closed) {
        finishClose(connection)
        continue
      }
      if connection.pointee.role == .internalClient {
        internalClientReady(connection)
        continue
      }
      if connection.pointee.has(.inputBlocked), takesInput(connection) {
        connection.pointee.flags.remove(.inputBlocked)
        startReading(connection)
      }
      while connection.pointee.has(.wantsRead), !connection.pointee.has(.closed),
        !keepsInput(connection), takesInput(connection),
        let segment = connection.pointee.input.removeFirst()
      {
        dispatch(connection, segment)
      }
      if connection.pointee.has(.isTLS), !connection.pointee.has(.closed) { tlsDeliver(connection) }
      // A splice has waited for what was held.
      if connection.pointee.feeds != nil, connection.pointee.has(.wantsRead) { armReceive(connection) }
      if connection.pointee.has(.wantsRead), connection.pointee.has(.readEnded),
        !connection.pointee.has(.closed), connection.pointee.input.head == nil, !tlsHasRecord(connection)
      {
        readEnded(connection)
      }
    }
  }

  // MARK: No receive buffer left

  private func starve(_ connection: ConnectionRef) {
    guard !connection.pointee.has(.isStarved) else { return }
    connection.pointee.flags.insert(.isStarved)
    connection.pointee.nextStarved = starved
    starved = connection
  }

  func armStarved() {
    segments.hasReturnedBuffers = false
    guard starved != nil, segments.availableBuffers > 0 else { return }
    var next = starved
    starved = nil
    while let connection = next {
      next = connection.pointee.nextStarved
      connection.pointee.nextStarved = nil
      connection.pointee.flags.remove(.isStarved)
      if connection.pointee.has(.closed) {
        finishClose(connection)
      } else if connection.pointee.has(.wantsRead) {
        // A receive that finds no buffer fails at once: with buffers of the other group alone the
        // worker would spin.
        let group: SegmentPool.Group = connection.pointee.has(.isBulk) ? .large : .small
        if segments.availableBuffers(group) > 0 {
          armReceive(connection)
        } else {
          starve(connection)
        }
      }
    }
  }
}
