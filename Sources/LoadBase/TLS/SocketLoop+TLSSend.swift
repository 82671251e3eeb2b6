import Primitives
import Reactor
import TLS

/// Plaintext into records and out.
extension SocketLoop {
  /// Ciphertext that may wait to be sent beside the plaintext that waits to be sealed.
  private static let sealedBytesMax = 128 << 10

  /// Seals what is queued and sends one operation's worth.
  func tlsFlush(_ socket: SocketRef) {
    guard let tls = socket.pointee.tls else { return }
    if tls.pointee.isEstablished { seal(socket, tls) }
    if socket.pointee.has(.closed) { return }
    guard let head = tls.pointee.sending.head, !tls.pointee.sending.isEmpty else {
      // An end that is wanted meanwhile waits for the handshake.
      if socket.pointee.has(.closeAfterFlush), tls.pointee.stage != .handshake { close(socket) }
      return
    }
    send(socket, tls.pointee.sending, head)
  }

  /// Records from the output, as many as one send should carry.
  private func seal(_ socket: SocketRef, _ tls: LoopTLSRef) {
    while !socket.pointee.output.isEmpty, tls.pointee.sending.byteCount < Self.sealedBytesMax {
      let count = min(socket.pointee.output.byteCount, RecordHeader.plaintextBytesMax)
      let isSealed =
        tls.pointee.stage == .detached
        ? sealDetached(socket, tls, count) : sealAttached(socket, tls, count)
      guard isSealed else { return }
    }
    if socket.pointee.output.isEmpty, socket.pointee.has(.closeAfterFlush) { tlsSealClose(tls) }
  }

  private func sealDetached(_ socket: SocketRef, _ tls: LoopTLSRef, _ count: Int) -> Bool {
    // AES-GCM must not protect more than 2^24 records with one key (RFC 8446 section 5.5). TLS 1.2 has no message for
    // new keys; what a load test sends is no secret.
    if tls.pointee.records!.isWorn, tls.pointee.records!.isTLS13 {
      let room = segments.reserve(RecordProtection.controlRecordBytesMax, in: &tls.pointee.sending)
      let made = tls.pointee.records!.sealKeyUpdate(asksForAnswer: false, to: room)
      segments.unreserve(RecordProtection.controlRecordBytesMax - made, in: &tls.pointee.sending)
    }
    let target = segments.reserve(tls.pointee.records!.sealedCount(count), in: &tls.pointee.sending)
    var at = tls.pointee.records!.beginSeal(
      plaintextCount: count, type: RecordHeader.applicationData, to: target)
    var left = count
    var next = socket.pointee.output.head
    while left > 0, let run = next {
      let part = min(run.pointee.count, left)
      tls.pointee.records!.sealRun(ByteView(run.pointee.base, part), to: target + at)
      at += part
      left -= part
      next = run.pointee.next
    }
    _ = tls.pointee.records!.endSeal(to: target + at)
    segments.drop(count, from: &socket.pointee.output)
    guard !tls.pointee.records!.isBroken else {
      if !socket.pointee.has(.sendInFlight) { segments.releaseAll(&tls.pointee.sending) }
      tlsEnd(socket, tls, "the TLS library failed")
      return false
    }
    return true
  }

  private func sealAttached(_ socket: SocketRef, _ tls: LoopTLSRef, _ limit: Int) -> Bool {
    guard let handshake = tls.pointee.handshake, let head = socket.pointee.output.head else { return false }
    let view = ByteView(head.pointee.base, min(head.pointee.count, limit))
    var capacity = view.count + 512
    while true {
      let room = segments.reserve(capacity, in: &tls.pointee.sending)
      var made = OutputRoom(room, capacity: capacity)
      let result = handshake.write(view, output: &made)
      segments.unreserve(capacity - made.count, in: &tls.pointee.sending)
      switch result {
      case .taken(let count):
        segments.drop(count, from: &socket.pointee.output)
        return true
      case .needsRoom: capacity = 20_000
      case .needsInput: return false
      case .failed:
        tlsEnd(socket, tls, handshake.failureWords)
        return false
      }
    }
  }

  /// The kernel took so many bytes of records.
  func tlsSent(_ socket: SocketRef, _ count: Int) {
    guard let tls = socket.pointee.tls else { return }
    segments.drop(count, from: &tls.pointee.sending)
    let hasMore = tls.pointee.isEstablished && !socket.pointee.output.isEmpty
    if hasMore || !tls.pointee.sending.isEmpty || socket.pointee.has(.closeAfterFlush) { markDirty(socket) }
  }

  // MARK: Alerts

  func tlsSealAlert(_ tls: LoopTLSRef, _ alert: TLSAlert, isFatal: Bool) {
    guard tls.pointee.stage == .detached, !tls.pointee.closeNotifySent else { return }
    let room = segments.reserve(RecordProtection.controlRecordBytesMax, in: &tls.pointee.sending)
    let count = tls.pointee.records!.sealAlert(alert, isFatal: isFatal, to: room)
    segments.unreserve(RecordProtection.controlRecordBytesMax - count, in: &tls.pointee.sending)
  }

  /// Says once that nothing more will come.
  func tlsSealClose(_ tls: LoopTLSRef) {
    guard !tls.pointee.closeNotifySent else { return }
    if tls.pointee.stage == .detached {
      tlsSealAlert(tls, .closeNotify, isFatal: false)
    } else if tls.pointee.stage == .attached, let handshake = tls.pointee.handshake {
      let room = segments.reserve(128, in: &tls.pointee.sending)
      var output = OutputRoom(room, capacity: 128)
      _ = handshake.closeNotify(output: &output)
      segments.unreserve(128 - output.count, in: &tls.pointee.sending)
    }
    tls.pointee.closeNotifySent = true
  }
}
