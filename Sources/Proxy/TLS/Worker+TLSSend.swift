import Primitives
import Reactor
import TLS

/// Plaintext of a TLS connection into records and out.
extension Worker {
  /// Seals what is queued and sends one operation's worth.
  func tlsFlush(_ connection: ConnectionRef, _ tls: TLSRef) {
    if tls.pointee.isEstablished { seal(connection, tls) }
    if connection.pointee.has(.closed) { return }
    guard let head = tls.pointee.sending.head, !tls.pointee.sending.isEmpty else {
      // An end that is wanted meanwhile waits for the handshake.
      if !tls.pointee.isEstablished, tls.pointee.stage != .failed { return }
      if connection.pointee.output.isEmpty || tls.pointee.stage == .failed { outputDrained(connection) }
      return
    }
    connection.pointee.flags.insert(.sendInFlight)
    connection.pointee.inFlight &+= 1
    let token = connection.pointee.token(.send)
    if head.pointee.next != nil, let header = message.make(tls.pointee.sending) {
      ring.send(connection.pointee.fd, message: header, token: token)
    } else {
      ring.send(
        connection.pointee.fd, ByteView(head.pointee.base, head.pointee.count), token: token)
    }
  }

  /// Records from the output, as many as one send should carry.
  private func seal(_ connection: ConnectionRef, _ tls: TLSRef) {
    let output = UnsafeMutableRawPointer(connection).advanced(by: Self.outputOffset)
      .assumingMemoryBound(to: SegmentQueue.self)
    while !output.pointee.isEmpty, tls.pointee.sending.byteCount < TLSLimits.sealedBytesMax,
      !connection.pointee.has(.closed)
    {
      let count = min(output.pointee.byteCount, RecordHeader.plaintextBytesMax)
      let sealed =
        tls.pointee.stage == .detached
        ? sealDetached(connection, tls, output, count) : sealAttached(connection, tls, output, count)
      guard sealed else { return }
    }
    if output.pointee.isEmpty, connection.pointee.has(.closeAfterFlush) || connection.pointee.has(.shutdownAfterFlush) {
      tlsSealClose(tls)
    }
  }

  @inline(__always)
  private static var outputOffset: Int { MemoryLayout<Connection>.offset(of: \Connection.output) ?? 0 }

  private func sealDetached(
    _ connection: ConnectionRef, _ tls: TLSRef, _ output: UnsafeMutablePointer<SegmentQueue>, _ count: Int
  ) -> Bool {
    if tls.pointee.records!.isWorn { renewKeys(connection, tls) }
    let size = tls.pointee.records!.sealedCount(count)
    let target = segments.reserve(size, in: &tls.pointee.sending)
    var at = tls.pointee.records!.beginSeal(
      plaintextCount: count, type: RecordHeader.applicationData, to: target)
    var left = count
    var next = output.pointee.head
    while left > 0, let run = next {
      let part = min(run.pointee.count, left)
      tls.pointee.records!.sealRun(ByteView(run.pointee.base, part), to: target + at)
      at += part
      left -= part
      next = run.pointee.next
    }
    _ = tls.pointee.records!.endSeal(to: target + at)
    segments.drop(count, from: &output.pointee)
    countSent(connection, count)
    guard !tls.pointee.records!.isBroken else {
      segments.releaseAll(&tls.pointee.sending)
      tlsFailed(connection, tls, .library)
      return false
    }
    return true
  }

  /// AES-GCM must not protect more than 2^24 records with one key (RFC 8446 section 5.5).
  private func renewKeys(_ connection: ConnectionRef, _ tls: TLSRef) {
    if tls.pointee.records!.isTLS13 {
      let room = segments.reserve(RecordProtection.controlRecordBytesMax, in: &tls.pointee.sending)
      let count = tls.pointee.records!.sealKeyUpdate(asksForAnswer: false, to: room)
      segments.unreserve(RecordProtection.controlRecordBytesMax - count, in: &tls.pointee.sending)
    } else {
      // TLS 1.2 has no such message: the connection ends with its next response.
      connection.pointee.flags.insert(.drains)
    }
  }

  private func sealAttached(
    _ connection: ConnectionRef, _ tls: TLSRef, _ output: UnsafeMutablePointer<SegmentQueue>, _ limit: Int
  ) -> Bool {
    guard let handshake = tls.pointee.handshake, let head = output.pointee.head else { return false }
    let view = ByteView(head.pointee.base, min(head.pointee.count, limit))
    var capacity = view.count + 512
    while true {
      let room = segments.reserve(capacity, in: &tls.pointee.sending)
      var made = OutputRoom(room, capacity: capacity)
      let result = handshake.write(view, output: &made)
      segments.unreserve(capacity - made.count, in: &tls.pointee.sending)
      switch result {
      case .taken(let count):
        segments.drop(count, from: &output.pointee)
        countSent(connection, count)
        return true
      case .needsRoom:
        capacity = 20_000
        continue
      case .needsInput: return false
      case .failed:
        tlsFailed(connection, tls, .library)
        return false
      }
    }
  }

  /// An operation of ours ended.
  func tlsSent(_ connection: ConnectionRef, _ tls: TLSRef, _ count: Int) {
    connection.pointee.lastActivityAt = now
    segments.drop(count, from: &tls.pointee.sending)
    if connection.pointee.has(.outputBlocked),
      connection.pointee.output.byteCount <= connection.pointee.outputLimit / 2
    {
      connection.pointee.flags.remove(.outputBlocked)
      outputUnblocked(connection)
      if connection.pointee.has(.closed) { return }
    }
    if tls.pointee.sending.isEmpty, !tls.pointee.isEstablished, tls.pointee.stage != .failed { return }
    if tls.pointee.sending.isEmpty, connection.pointee.output.isEmpty || tls.pointee.stage == .failed {
      outputDrained(connection)
    } else {
      markDirty(connection)
    }
  }

  // MARK: Alerts

  func tlsSealAlert(_ tls: TLSRef, _ alert: TLSAlert, isFatal: Bool) {
    guard tls.pointee.stage == .detached, !tls.pointee.closeNotifySent else { return }
    let room = segments.reserve(RecordProtection.controlRecordBytesMax, in: &tls.pointee.sending)
    let count = tls.pointee.records!.sealAlert(alert, isFatal: isFatal, to: room)
    segments.unreserve(RecordProtection.controlRecordBytesMax - count, in: &tls.pointee.sending)
  }

  /// Says once that nothing more will come.
  func tlsSealClose(_ tls: TLSRef) {
    guard !tls.pointee.closeNotifySent else { return }
    switch tls.pointee.stage {
    case .detached: tlsSealAlert(tls, .closeNotify, isFatal: false)
    case .attached:
      guard let handshake = tls.pointee.handshake else { break }
      let room = segments.reserve(128, in: &tls.pointee.sending)
      var output = OutputRoom(room, capacity: 128)
      _ = handshake.closeNotify(output: &output)
      segments.unreserve(128 - output.count, in: &tls.pointee.sending)
    case .hello, .handshake, .failed: break
    }
    tls.pointee.closeNotifySent = true
  }

  /// Whether the peer has yet to be told that nothing more comes.
  func tlsOwesClose(_ connection: ConnectionRef) -> Bool {
    guard connection.pointee.has(.isTLS), let tls = connection.pointee.tls else { return false }
    return tls.pointee.isEstablished && !tls.pointee.closeNotifySent
  }

  /// Everything is out: true when close_notify has yet to follow.
  func tlsEndOutput(_ connection: ConnectionRef, _ tls: TLSRef) -> Bool {
    guard connection.pointee.has(.closeAfterFlush) || connection.pointee.has(.shutdownAfterFlush),
      tls.pointee.isEstablished, !tls.pointee.closeNotifySent
    else { return false }
    tlsSealClose(tls)
    guard !tls.pointee.sending.isEmpty else { return false }
    markDirty(connection)
    return true
  }

  /// A connection closes at once: when nothing is on its way the peer is told that this is the end. What this turn has
  /// answered to a KeyUpdate goes along, or the peer could not open what follows.
  func tlsSayGoodbye(_ connection: ConnectionRef) {
    guard let tls = connection.pointee.tls, tls.pointee.isEstablished, !tls.pointee.closeNotifySent,
      tls.pointee.sending.byteCount <= RecordProtection.controlRecordBytesMax, !connection.pointee.has(.sendInFlight),
      connection.pointee.output.isEmpty
    else { return }
    tlsSealClose(tls)
    // In two pieces the second might go out without all of the first.
    if let head = tls.pointee.sending.head, head == tls.pointee.sending.tail {
      kernel.sendNow(connection.pointee.fd, ByteView(head.pointee.base, head.pointee.count))
    }
    segments.releaseAll(&tls.pointee.sending)
  }
}
