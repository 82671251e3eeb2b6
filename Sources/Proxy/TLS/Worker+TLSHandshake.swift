import Glibc
import HTTPCore
import Primitives
import Reactor
import Stats
import TLS

/// Handshakes: each is a series of short steps, of which only so many run in a turn.
extension Worker {
  /// Why a TLS connection cannot go on.
  enum TLSEnd {
    /// The library says why.
    case library
    /// The peer broke a rule of records.
    case broken(TLSAlert)
    /// The peer sent a fatal alert.
    case alert(TLSAlert)
    /// The client's bytes are not TLS.
    case plain(PlainGuess)
    case helloTooLarge
    /// The socket ended (0) or broke.
    case socket(Int32)
    /// Not in time, after so many nanoseconds.
    case timeout(UInt64)
    /// No certificate may be used.
    case noCertificate
  }

  // MARK: Beginnings

  /// An accepted connection whose chain speaks TLS. What has been received is in `input`.
  func tlsAccept(_ connection: ConnectionRef, _ transport: UnsafeMutablePointer<FilterChainConfig>) {
    guard tlsReady() else {
      close(connection, isLocal: true)
      return
    }
    connection.pointee.role = .tlsHandshake
    let tls = makeTLS(connection, isClient: false, stage: .hello)
    let limit = transport.pointee.transport?.timeoutNanoseconds ?? 0
    if limit > 0 {
      connection.pointee.deadline = connection.pointee.createdAt &+ limit
      ensureTimer(connection, by: connection.pointee.deadline)
    }
    tls.pointee.received = connection.pointee.input
    connection.pointee.input = SegmentQueue()
    startReading(connection)
    if !tls.pointee.received.isEmpty { tlsReadHello(connection, tls) }
  }

  /// The library's part of this worker, made when it is first needed.
  func tlsReady() -> Bool {
    if tlsContexts != nil { return true }
    tlsContexts = try? TLSContexts()
    return tlsContexts != nil
  }

  func makeTLS(_ connection: ConnectionRef, isClient: Bool, stage: TLSConnection.Stage) -> TLSRef {
    let tls = tlsConnections.take()
    tls.initialize(
      to: TLSConnection(
        isClient: isClient, stage: stage, connection: connection,
        now: isClient ? now : connection.pointee.createdAt))
    connection.pointee.tls = tls
    connection.pointee.flags.insert(.isTLS)
    return tls
  }

  // MARK: Hello

  func tlsReadHello(_ connection: ConnectionRef, _ tls: TLSRef) {
    let view = contiguous(&tls.pointee.received)
    switch ClientHello.parse(view, limit: TLSLimits.clientHelloBytesMax, scratch: tlsScratch) {
    case .needMore: return
    case .notTLS(let guess): tlsFailed(connection, tls, .plain(guess))
    case .tooLarge: tlsFailed(connection, tls, .helloTooLarge)
    case .malformed: beginServer(connection, tls, nil)
    case .complete(let hello): beginServer(connection, tls, hello)
    }
  }

  private func beginServer(_ connection: ConnectionRef, _ tls: TLSRef, _ hello: ClientHello?) {
    guard let transport = connection.pointee.chain?.pointee.transport, let contexts = tlsContexts else {
      close(connection, isLocal: true)
      return
    }
    if let hello { keepName(tls, hello.serverName) }
    tls.pointee.offered = hello?.versionMax ?? 0
    let seconds = wallNow / 1_000_000_000
    guard
      let choice = contexts.server(
        transport.slot, serverName: tls.pointee.serverName, hello: hello, now: seconds),
      let handshake = Handshake(choice.context.ref, connection: UnsafeMutableRawPointer(tls), now: seconds)
    else {
      slab.increment(transport.stats.ocspStapleFailed)
      tlsFailed(connection, tls, .noCertificate)
      return
    }
    if !choice.sendsStaple { handshake.omitStaple() }
    tls.pointee.handshake = handshake
    tls.pointee.context = .passRetained(choice.context)
    tls.pointee.stage = .handshake
    tlsBegan(tls)
    tlsQueue(connection, tls)
  }

  /// The server's name in lower case, in memory that the protocol will share.
  func keepName(_ tls: TLSRef, _ name: ByteView) {
    guard name.count > 0, name.count <= ServerName.bytesMax else { return }
    let text = tlsText(tls)
    tls.pointee.nameCount = UInt8(ServerName.copyLowerCased(name, to: text))
  }

  private func tlsText(_ tls: TLSRef) -> UnsafeMutablePointer<UInt8> {
    if let text = tls.pointee.text { return text }
    let text = tlsTexts.take()
    tls.pointee.text = UnsafeMutableRawPointer(text).assumingMemoryBound(to: UInt8.self)
    return UnsafeMutableRawPointer(text).assumingMemoryBound(to: UInt8.self)
  }

  // MARK: The queue

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
    touch(tls)
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

  // MARK: Handshakes under way, the one that has waited longest first

  func tlsBegan(_ tls: TLSRef) {
    if tlsActive >= TLSLimits.handshakesMax, let oldest = firstActiveTLS {
      slab.increment(environment.stats.tlsHandshakesEvicted)
      let connection = oldest.pointee.connection
      tlsFailed(connection, oldest, .timeout(now &- oldest.pointee.startedAt))
    }
    append(tls)
    tlsActive += 1
    slab.increment(environment.stats.tlsHandshakesActive)
  }

  private func append(_ tls: TLSRef) {
    tls.pointee.previousActive = lastActiveTLS
    tls.pointee.nextActive = nil
    if let last = lastActiveTLS { last.pointee.nextActive = tls } else { firstActiveTLS = tls }
    lastActiveTLS = tls
  }

  private func unlink(_ tls: TLSRef) {
    if let previous = tls.pointee.previousActive {
      previous.pointee.nextActive = tls.pointee.nextActive
    } else {
      firstActiveTLS = tls.pointee.nextActive
    }
    if let next = tls.pointee.nextActive {
      next.pointee.previousActive = tls.pointee.previousActive
    } else {
      lastActiveTLS = tls.pointee.previousActive
    }
    tls.pointee.previousActive = nil
    tls.pointee.nextActive = nil
  }

  /// The peer did something: others have waited longer.
  private func touch(_ tls: TLSRef) {
    guard lastActiveTLS != tls else { return }
    unlink(tls)
    append(tls)
  }

  private func ended(_ tls: TLSRef) {
    unlink(tls)
    tlsActive -= 1
    slab.decrement(environment.stats.tlsHandshakesActive)
  }

  // MARK: Ends

  private func tlsEstablished(_ connection: ConnectionRef, _ tls: TLSRef) {
    guard let handshake = tls.pointee.handshake else { return }
    ended(tls)
    tls.pointee.stage = .attached
    let agreement = handshake.agreement
    note(tls, agreement)
    tls.pointee.facts.handshakeNanoseconds = now &- tls.pointee.startedAt
    var captures: PeerCaptures = []
    tlsStats(connection) { stats in
      stats.count(agreement, slab)
      slab.record(stats.handshakeTime, (now &- tls.pointee.startedAt) / 1000)
    }
    if tls.pointee.isClient {
      captures = connection.pointee.host?.pointee.cluster.pointee.pointer.pointee.transport?.captures ?? []
    } else {
      captures = connection.pointee.chain?.pointee.transport?.captures ?? []
    }
    if agreement.hasPeerCertificate, let details = handshake.peerDetails(captures) {
      let peer = UnsafeMutablePointer<PeerDetails>.allocate(capacity: 1)
      peer.initialize(to: details)
      tls.pointee.peer = peer
      notePeer(tls, details)
    }
    let waitsForTicket =
      tls.pointee.isClient && agreement.version == 0x0304 && tlsKeepsTickets(connection)
    if !waitsForTicket { tlsTryDetach(connection, tls) }
    if tls.pointee.isClient {
      agreeProtocol(connection, tls)
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

  private func note(_ tls: TLSRef, _ agreement: TLSAgreement) {
    tls.pointee.facts.version = TLSNames.version(agreement.version)
    tls.pointee.facts.cipher = CipherNames.name(agreement.cipher)
    tls.pointee.wasResumed = agreement.isResumed
    let name = agreement.alpn
    let session = agreement.sessionID
    if name.isEmpty, session.isEmpty { return }
    // A name has at most 255 bytes, a protocol 255 and a session's hex 64: they fit.
    let text = tlsText(tls) + Int(tls.pointee.nameCount)
    text.update(from: name.base, count: name.count)
    tls.pointee.protocolCount = UInt8(name.count)
    guard Int(tls.pointee.nameCount) + name.count + session.count * 2 <= TLSConnection.textCapacity else { return }
    let hex = text + name.count
    for i in 0..<session.count {
      hex[2 * i] = Self.hexDigit(session[i] >> 4)
      hex[2 * i + 1] = Self.hexDigit(session[i] & 15)
    }
    tls.pointee.facts.sessionID = ByteView(hex, session.count * 2)
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  private func notePeer(_ tls: TLSRef, _ peer: PeerDetails) {
    tls.pointee.facts.subject = peer.subject
    tls.pointee.facts.issuer = peer.issuer
    tls.pointee.facts.serial = peer.serial
    tls.pointee.facts.fingerprint256 = peer.sha256
    tls.pointee.facts.fingerprint1 = peer.sha1
    let lists = [peer.uriNames, peer.dnsNames, peer.ipNames, peer.emailNames, peer.otherNames]
    let size = lists.reduce(0) { $0 + $1.reduce(0) { $0 + $1.count + 1 } }
    guard size > 0 else { return }
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
    tls.pointee.peerText = memory
    var at = 0
    func join(_ list: TextList) -> ByteView {
      let start = at
      for text in list {
        if at > start {
          memory[at] = UInt8(ascii: ",")
          at += 1
        }
        (memory + at).update(from: text.base, count: text.count)
        at += text.count
      }
      return ByteView(memory + start, at - start)
    }
    tls.pointee.facts.uriNames = join(peer.uriNames)
    tls.pointee.facts.dnsNames = join(peer.dnsNames)
    tls.pointee.facts.ipNames = join(peer.ipNames)
    tls.pointee.facts.emailNames = join(peer.emailNames)
    tls.pointee.facts.otherNames = join(peer.otherNames)
  }

  /// The connection cannot go on: counted, worded, the alert sent, closed.
  func tlsFailed(_ connection: ConnectionRef, _ tls: TLSRef, _ end: TLSEnd) {
    guard tls.pointee.stage != .failed, !connection.pointee.has(.closed) else { return }
    let wasEstablished = tls.pointee.isEstablished
    word(connection, tls, end)
    if case .broken(let alert) = end, wasEstablished { tlsSealAlert(tls, alert, isFatal: true) }
    if tls.pointee.stage == .handshake { ended(tls) }
    tls.pointee.stage = .failed
    // Whatever follows, the library's part is over: 76 KB in the handshake.
    tlsFreeHandshake(tls)
    segments.releaseAll(&tls.pointee.received)
    if wasEstablished {
      sayLastWords(connection, tls)
      // As a reset: whoever works on the connection ends, and closes it.
      connection.pointee.flags.insert(.readEnded)
      connectionFailed(connection, errno: ECONNRESET)
      return
    }
    if tls.pointee.isClient {
      sayLastWords(connection, tls)
      upstreamHandshakeFailed(
        connection, TransportFailure(view: tls.pointee.failureReason, isTimeout: false))
      return
    }
    if case .socket = end {
      close(connection, isLocal: false)
      return
    }
    connection.pointee.deadline = 0
    finishGracefully(connection, patience: 1_000_000_000)
  }

  /// The alert of a connection that closes at once: with what was to be sent before it, unless some of that is in flight.
  private func sayLastWords(_ connection: ConnectionRef, _ tls: TLSRef) {
    if !connection.pointee.has(.sendInFlight), !tls.pointee.sending.isEmpty {
      let view = contiguous(&tls.pointee.sending)
      kernel.sendNow(connection.pointee.fd, view)
    }
    if !connection.pointee.has(.sendInFlight) { segments.releaseAll(&tls.pointee.sending) }
  }

  private func word(_ connection: ConnectionRef, _ tls: TLSRef, _ end: TLSEnd) {
    let text: String
    switch end {
    case .library:
      guard let handshake = tls.pointee.handshake else { return }
      let failure = handshake.failure
      tlsStats(connection) { slab.increment($0.counter(of: failure)) }
      text = handshake.failureText(offered: tls.pointee.offered)
    case .broken(let alert):
      tlsStats(connection) { slab.increment($0.connectionError) }
      text = TLSFailureText.broken(alert)
    case .alert(let alert):
      tlsStats(connection) { slab.increment($0.connectionError) }
      text = TLSFailureText.received(alert)
    case .plain(let guess):
      tlsStats(connection) { slab.increment($0.connectionError) }
      text = TLSFailureText.plain(guess)
    case .helloTooLarge:
      tlsStats(connection) { slab.increment($0.connectionError) }
      text = TLSFailureText.helloTooLarge
    case .socket(let errno):
      text = errno == 0 ? "" : TLSFailureText.system(errno: errno, text: ErrnoText.view(errno).string)
    case .timeout(let nanoseconds):
      text = "handshake timed out after \(nanoseconds / 1_000_000) ms"
    case .noCertificate: text = "no certificate may be used: its OCSP response is missing or too old"
    }
    let bytes = Array(text.utf8.prefix(TLSLimits.failureTextMax))
    guard !bytes.isEmpty else { return }
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
    memory.initialize(from: bytes, count: bytes.count)
    tls.pointee.failure = memory
    tls.pointee.failureCount = bytes.count
  }

  @inline(__always)
  func tlsStats(_ connection: ConnectionRef, _ body: (borrowing TLSStats) -> Void) {
    if let host = connection.pointee.host {
      if let transport = host.pointee.cluster.pointee.pointer.pointee.transport { body(transport.stats) }
    } else if let transport = connection.pointee.chain?.pointee.transport {
      body(transport.stats)
    }
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

  // MARK: Memory

  func tlsFreeHandshake(_ tls: TLSRef) {
    tls.pointee.handshake?.free()
    tls.pointee.handshake = nil
    tls.pointee.context?.release()
    tls.pointee.context = nil
  }

  /// The connection's slot is freed.
  func freeTLS(_ connection: ConnectionRef) {
    guard let tls = connection.pointee.tls else { return }
    connection.pointee.tls = nil
    segments.releaseAll(&tls.pointee.received)
    segments.releaseAll(&tls.pointee.sending)
    if tls.pointee.stage == .handshake { ended(tls) }
    tlsFreeHandshake(tls)
    tls.pointee.records?.free()
    tls.pointee.peer?.pointee.free()
    tls.pointee.peer?.deallocate()
    tls.pointee.peerText?.deallocate()
    if let text = tls.pointee.text {
      tlsTexts.give(UnsafeMutableRawPointer(text).assumingMemoryBound(to: TLSText.self))
    }
    tls.pointee.failure?.deallocate()
    tls.deinitialize(count: 1)
    tlsConnections.give(tls)
  }
}

/// Memory for a server name, a protocol and a session's name.
struct TLSText {
  private var bytes = InlineArray<512, UInt8>(repeating: 0)
}
