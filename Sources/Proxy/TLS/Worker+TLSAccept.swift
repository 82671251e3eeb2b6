import Primitives
import Reactor
import TLS

/// A client's TLS connection until its handshake begins: the ClientHello chooses what answers it.
extension Worker {
  /// An accepted connection whose chain speaks TLS. What has been received is in `input`.
  func tlsAccept(_ connection: ConnectionRef, _ transport: UnsafeMutablePointer<FilterChainConfig>) {
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
  func contexts() throws(TLSSetupError) -> TLSContexts {
    if let tlsContexts { return tlsContexts }
    // The worker outlives its contexts, and nobody else calls them.
    nonisolated(unsafe) let worker = Unmanaged.passUnretained(self)
    let made = try TLSContexts { tls, line, log in
      worker._withUnsafeGuaranteedRef { $0.logKeys(tls, line, log) }
    }
    tlsContexts = made
    return made
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
    guard let transport = connection.pointee.chain?.pointee.transport else { return }
    if let hello { keepName(tls, hello.serverName) }
    tls.pointee.offered = hello?.versionMax ?? 0
    let seconds = wallNow / 1_000_000_000
    do throws(TLSSetupError) {
      guard
        let choice = try contexts().server(
          transport.slot, serverName: tls.pointee.serverName, hello: hello, now: seconds)
      else {
        tlsFailed(connection, tls, .noCertificate)
        return
      }
      guard
        let handshake = Handshake(
          choice.context.ref, connection: UnsafeMutableRawPointer(tls), now: seconds)
      else { throw TLSSetupError("memory is short") }
      if !choice.sendsStaple { handshake.omitStaple() }
      tls.pointee.handshake = handshake
      tls.pointee.context = .passRetained(choice.context)
    } catch {
      tlsFailed(connection, tls, .setup(error))
      return
    }
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

  func tlsText(_ tls: TLSRef) -> UnsafeMutablePointer<UInt8> {
    if let text = tls.pointee.text { return text }
    let text = tlsTexts.take()
    tls.pointee.text = UnsafeMutableRawPointer(text).assumingMemoryBound(to: UInt8.self)
    return UnsafeMutableRawPointer(text).assumingMemoryBound(to: UInt8.self)
  }
}

/// Memory for a server name, a protocol and a session's name.
struct TLSText {
  private var bytes = InlineArray<512, UInt8>(repeating: 0)

  static var capacity: Int { MemoryLayout<TLSText>.size }
}
