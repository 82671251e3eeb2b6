import Glibc
import HTTPCore
import Primitives
import Reactor
import Stats
import TLS

/// Handshakes: each is a series of short steps, of which only so many run in a turn.
extension Worker {
  /// The handshake can go on: it does when its turn comes.
  func tlsQueue(_ connection: ConnectionRef, _ tls: TLSRef) {
    guard !connection.pointee.has(.isQueuedTLS) else { return }
    connection.pointee.flags.insert(.isQueuedTLS)
    tls.pointee.nextQueued = nil
    if let last = lastTLS, let lastTLSConnection = last.pointee.tls {
      lastTLSConnection.pointee.nextQueued = connection
    } else {
      firstTLS = connection
    }
    lastTLS = connection
    slab.increment(environment.stats.tlsHandshakesWaiting)
  }

  /// Steps of handshakes, as many as one turn may have; at least one.
  func runHandshakes() {
    guard firstTLS != nil else { return }
    let began = kernel.monotonicNow()
    var steps = 0
    while let connection = firstTLS, let tls = connection.pointee.tls {
      if steps > 0,
        steps >= TLSLimits.stepsPerTurnMax || kernel.monotonicNow() &- began >= TLSLimits.nanosecondsPerTurnMax
      {
        slab.increment(environment.stats.tlsHandshakesDeferred)
        return
      }
      firstTLS = tls.pointee.nextQueued
      if firstTLS == nil { lastTLS = nil }
      tls.pointee.nextQueued = nil
      connection.pointee.flags.remove(.isQueuedTLS)
      slab.decrement(environment.stats.tlsHandshakesWaiting)
      if connection.pointee.has(.closed) {
        finishClose(connection)
        continue
      }
      guard tls.pointee.stage == .handshake else { continue }
      steps += 1
      tlsStep(connection, tls)
      if tls.pointee.socketEnd >= 0, !connection.pointee.has(.closed) { settleSocketEnd(connection, tls) }
    }
  }

  /// The socket had ended before the step that has just run.
  private func settleSocketEnd(_ connection: ConnectionRef, _ tls: TLSRef) {
    let errno = tls.pointee.socketEnd
    tls.pointee.socketEnd = -1
    switch tls.pointee.stage {
    case .hello, .handshake: tlsFailed(connection, tls, .socket(errno))
    case .attached, .detached:
      if !tls.pointee.readEnded { tls.pointee.isTruncated = true }
      // Nobody has been told yet, not even of a close_notify: the flag was there before.
      if errno == 0 || tls.pointee.readEnded {
        makeReady(connection)
      } else {
        connectionFailed(connection, errno: errno)
      }
    case .failed: break
    }
  }

  private func tlsStep(_ connection: ConnectionRef, _ tls: TLSRef) {
    guard let handshake = tls.pointee.handshake else { return }
    tlsTouch(tls)
    startReading(connection)
    while true {
      var input = ByteView.empty
      if let head = tls.pointee.received.head { input = ByteView(head.pointee.base, head.pointee.count) }
      let before = input.count
      let room = segments.reserve(Self.flightRoom, in: &tls.pointee.sending)
      var output = OutputRoom(room, capacity: Self.flightRoom)
      let result = handshake.step(input: &input, output: &output)
      segments.unreserve(Self.flightRoom - output.count, in: &tls.pointee.sending)
      // An empty chunk is not kept for as long as the connection is idle.
      if tls.pointee.sending.isEmpty { segments.releaseAll(&tls.pointee.sending) }
      let used = before - input.count
      if used > 0 { segments.drop(used, from: &tls.pointee.received) }
      if output.count > 0 { markDirty(connection) }
      switch result {
      case .done:
        tlsEstablished(connection, tls)
        return
      case .needsRoom: continue
      case .needsInput:
        if used > 0, tls.pointee.received.byteCount > 0 { continue }
        return
      case .failed:
        tlsFailed(connection, tls, .library)
        return
      }
    }
  }

  private static let flightRoom = 3900

  private func tlsEstablished(_ connection: ConnectionRef, _ tls: TLSRef) {
    guard let handshake = tls.pointee.handshake else { return }
    tlsHandshakeEnded(tls)
    tls.pointee.stage = .attached
    let agreement = handshake.agreement
    tlsNote(tls, agreement)
    tls.pointee.facts.handshakeNanoseconds = now &- tls.pointee.startedAt
    tlsStats(connection) { stats in
      stats.count(agreement, slab)
      slab.record(stats.handshakeTime, (now &- tls.pointee.startedAt) / 1000)
    }
    if agreement.hasPeerCertificate, let details = handshake.peerDetails([]) {
      let peer = UnsafeMutablePointer<PeerDetails>.allocate(capacity: 1)
      peer.initialize(to: details)
      tls.pointee.peer = peer
      tlsNotePeer(tls, details)
      tls.pointee.isPeerValidated =
        tls.pointee.context?._withUnsafeGuaranteedRef { $0.rules?.hasValidated(handshake, agreement) ?? false } ?? false
    }
    tlsNoteDetails(connection, tls, handshake)
    let waitsForTicket =
      tls.pointee.isClient && agreement.version == 0x0304 && tlsKeepsTickets(connection)
    if !waitsForTicket { tlsTryDetach(connection, tls) }
    if tls.pointee.isClient {
      guard agreeProtocol(connection, tls) else {
        tlsFailed(connection, tls, .tooManyPools)
        return
      }
      upstreamReady(connection)
    } else {
      connection.pointee.deadline = 0
      if connection.pointee.has(.drains) {
        connection.pointee.deadline = now &+ environment.flags.drainNanoseconds
        ensureTimer(connection, by: connection.pointee.deadline)
      }
      startTerminal(connection)
    }
    if !connection.pointee.has(.closed) { tlsDeliver(connection) }
  }

  func tlsHandshakeTimerFired(_ connection: ConnectionRef) {
    guard let tls = connection.pointee.tls else { return }
    guard connection.pointee.deadline > 0, now >= connection.pointee.deadline else {
      if connection.pointee.deadline > 0 { ensureTimer(connection, by: connection.pointee.deadline) }
      return
    }
    if let epoch = connection.pointee.epoch {
      slab.increment(epoch.pointee.pointer.pointee.stats.cxTransportTimeout)
    }
    tlsFailed(connection, tls, .timeout(now &- tls.pointee.startedAt))
  }
}
