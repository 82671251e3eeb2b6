import Glibc
import Primitives
import Reactor
import Stats
import TLS

/// How TLS connections fail: counted, worded, told to the peer.
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
    /// More handshakes under way than a worker has room for.
    case evicted
    /// No certificate may be used.
    case noCertificate
    /// The library refused what the configuration wants, or memory is short.
    case setup(TLSSetupError)
    /// The host has too many pools for one more protocol.
    case tooManyPools
  }

  /// The connection cannot go on: counted, worded, the alert sent, closed.
  func tlsFailed(_ connection: ConnectionRef, _ tls: TLSRef, _ end: TLSEnd) {
    guard tls.pointee.stage != .failed, !connection.pointee.has(.closed) else { return }
    // A client's connection that nobody has been given yet fails like its handshake.
    let wasEstablished = tls.pointee.isEstablished && !connection.pointee.has(.connecting)
    word(connection, tls, end)
    if case .broken(let alert) = end, wasEstablished { tlsSealAlert(tls, alert, isFatal: true) }
    if tls.pointee.stage == .handshake { tlsHandshakeEnded(tls) }
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
      upstreamUnreachable(
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
    /// Nil for what is counted elsewhere, or no fault of TLS.
    var failure: TLSFailure? = .connectionError
    switch end {
    case .library:
      guard let handshake = tls.pointee.handshake else {
        text = TLSFailureText.broken(.internalError)
        break
      }
      failure = handshake.failure
      text = handshake.failureText(offered: tls.pointee.offered)
    case .broken(let alert): text = TLSFailureText.broken(alert)
    case .alert(let alert): text = TLSFailureText.received(alert)
    case .plain(let guess): text = TLSFailureText.plain(guess)
    case .helloTooLarge: text = TLSFailureText.helloTooLarge
    case .setup(let error): text = "TLS cannot be set up: \(error.description)"
    case .socket(let errno):
      failure = nil
      text = errno == 0 ? "" : TLSFailureText.system(errno: errno, text: ErrnoText.view(errno).string)
    case .timeout(let nanoseconds):
      failure = nil
      text = "handshake timed out after \(nanoseconds / 1_000_000) ms"
    case .evicted:
      failure = nil
      text = "handshake given up: more than \(TLSLimits.handshakesMax) at once"
    case .noCertificate:
      failure = nil
      tlsStats(connection) { slab.increment($0.ocspStapleFailed) }
      text = "no certificate may be used: its OCSP response is missing or too old"
    case .tooManyPools:
      failure = nil
      text = "the host has too many connection pools"
    }
    if let failure { tlsStats(connection) { slab.increment($0.counter(of: failure)) } }
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
      if let transport = host.pointee.transport { body(transport.stats) }
    } else if let transport = connection.pointee.chain?.pointee.transport {
      body(transport.stats)
    }
  }
}
