import Glibc
import Primitives
import Reactor
public import TLS

/// TLS under a connection: whoever owns it sees plaintext, and nothing else changes for them.
extension SocketLoop {
  /// Begins a handshake on a socket that is connected: ``secured(_:_:)`` or ``tlsFailed(_:_:)`` says what came of it.
  /// Until then output waits.
  ///
  /// - Parameters:
  ///   - handshake: Becomes the loop's to free; its context must outlive the socket.
  ///   - library: Of the handshake's context; one for all sockets of the loop.
  ///   - keepsTicket: A client's wish for ``ticketCame(_:_:)``.
  public final func startTLS(
    _ socket: SocketRef, _ handshake: Handshake, _ library: TLSLibrary, isClient: Bool, keepsTicket: Bool = false
  ) {
    tlsLibrary = library
    let tls: LoopTLSRef
    if let free = freeTLS {
      freeTLS = free.pointee.nextFree
      tls = free
    } else {
      tls = .allocate(capacity: 1)
    }
    tls.initialize(to: LoopTLS(handshake, isClient: isClient, keepsTicket: keepsTicket))
    socket.pointee.tls = tls
    socket.pointee.flags.formUnion([.isTLS, .handshaking])
    // A client speaks first.
    if isClient { tlsStep(socket, tls) }
  }

  /// Goes on with the handshake as far as what came allows.
  func tlsStep(_ socket: SocketRef, _ tls: LoopTLSRef) {
    guard let handshake = tls.pointee.handshake else { return }
    while true {
      var input = ByteView.empty
      if let head = tls.pointee.received.head { input = ByteView(head.pointee.base, head.pointee.count) }
      let before = input.count
      let room = segments.reserve(Self.flightRoom, in: &tls.pointee.sending)
      var output = OutputRoom(room, capacity: Self.flightRoom)
      let result = handshake.step(input: &input, output: &output)
      tlsReturnRoom(socket, tls, Self.flightRoom - output.count)
      if output.count > 0 { markDirty(socket) }
      let used = before - input.count
      if used > 0 { segments.drop(used, from: &tls.pointee.received) }
      switch result {
      case .done:
        tlsEstablished(socket, tls, handshake)
        return
      case .needsRoom: continue
      case .needsInput:
        if used > 0, !tls.pointee.received.isEmpty { continue }
        return
      case .failed:
        tlsEnd(socket, tls, handshake.failureWords)
        return
      }
    }
  }

  /// Room for one piece of a flight: what a chunk holds.
  private static let flightRoom = 3900

  /// Gives back what was not needed; an empty chunk is not kept for as long as the connection is idle.
  func tlsReturnRoom(_ socket: SocketRef, _ tls: LoopTLSRef, _ unused: Int) {
    segments.unreserve(unused, in: &tls.pointee.sending)
    if tls.pointee.sending.isEmpty, !socket.pointee.has(.sendInFlight) { segments.releaseAll(&tls.pointee.sending) }
  }

  private func tlsEstablished(_ socket: SocketRef, _ tls: LoopTLSRef, _ handshake: Handshake) {
    tls.pointee.stage = .attached
    socket.pointee.flags.remove(.handshaking)
    let agreement = handshake.agreement
    secured(socket, agreement)
    if socket.pointee.has(.closed) { return }
    // In TLS 1.3 tickets come behind the handshake.
    if !tls.pointee.keepsTicket || agreement.version == 0x0303 { tlsTryDetach(socket, tls) }
    if !socket.pointee.output.isEmpty || socket.pointee.has(.closeAfterFlush) { markDirty(socket) }
    tlsDeliver(socket)
  }

  /// Takes an established connection out of the library when that can be: its memory shrinks to a quarter, and
  /// records are opened where they were received.
  func tlsTryDetach(_ socket: SocketRef, _ tls: LoopTLSRef) {
    guard tls.pointee.stage == .attached, let handshake = tls.pointee.handshake, let tlsLibrary else { return }
    if tls.pointee.keepsTicket, let ticket = handshake.takeTicket() { ticketCame(socket, ticket) }
    guard let records = handshake.detach(tlsLibrary) else { return }
    tls.pointee.reader = RecordReader(isClient: tls.pointee.isClient, isTLS13: records.isTLS13)
    tls.pointee.records = records
    tls.pointee.stage = .detached
    handshake.free()
    tls.pointee.handshake = nil
  }

  /// The connection cannot go on: whatever explains it to the peer is sent, the owner is told.
  func tlsEnd(_ socket: SocketRef, _ tls: LoopTLSRef, _ reason: String) {
    guard tls.pointee.stage != .failed, !socket.pointee.has(.closed) else { return }
    tls.pointee.stage = .failed
    segments.releaseAll(&tls.pointee.received)
    tlsSendNow(socket, tls)
    socket.pointee.flags.insert(.readEnded)
    tlsFailed(socket, reason)
  }

  /// The owner closes: the peer is told, unless something is still on its way.
  func tlsSayGoodbye(_ socket: SocketRef) {
    guard let tls = socket.pointee.tls, tls.pointee.isEstablished, tls.pointee.sending.isEmpty,
      socket.pointee.output.isEmpty, !socket.pointee.has(.sendInFlight)
    else { return }
    tlsSealClose(tls)
    tlsSendNow(socket, tls)
  }

  /// Sends records at once, as far as the socket takes them, when nothing else is in flight.
  private func tlsSendNow(_ socket: SocketRef, _ tls: LoopTLSRef) {
    guard !socket.pointee.has(.sendInFlight) else { return }
    while let segment = tls.pointee.sending.removeFirst() {
      if segment.pointee.count > 0 {
        kernel.sendNow(socket.pointee.fd, ByteView(segment.pointee.base, segment.pointee.count))
      }
      segments.release(segment)
    }
  }

  /// The socket's slot is freed.
  func freeTLS(_ socket: SocketRef) {
    guard let tls = socket.pointee.tls else { return }
    socket.pointee.tls = nil
    segments.releaseAll(&tls.pointee.received)
    segments.releaseAll(&tls.pointee.sending)
    tls.pointee.handshake?.free()
    tls.pointee.records?.free()
    tls.pointee.nextFree = freeTLS
    freeTLS = tls
  }
}
