import Primitives
import Reactor
import Stats

/// Connections that have nothing left to say but what is queued.
///
/// A peer that reads slowly still gets all of it; one that reads nothing must not hold the connection for ever. So a
/// lingering connection has a patience: within each such time the peer must acknowledge something.
extension Worker {
  /// Sends what is queued, ends our direction and waits a little for the peer to close, so that the last bytes are not
  /// lost to a reset.
  /// - Parameter patience: Nanoseconds without progress until the connection is closed; 0 = close as soon as everything
  ///   is out, without waiting for the peer.
  func finishGracefully(_ connection: ConnectionRef, patience: UInt64) {
    connection.pointee.role = .closing
    if patience == 0 {
      stopReading(connection)
      closeAfterFlush(connection, patience: 0)
      return
    }
    shutdownAfterFlush(connection)
    linger(connection, patience)
    startReading(connection)
    if connection.pointee.has(.readEnded) {
      connection.pointee.flags.insert(.closeAfterFlush)
      // Our direction may have ended before.
      markDirty(connection)
    }
  }

  /// Closes when everything queued is out.
  /// - Parameter patience: Nanoseconds without progress until it is closed all the same; 0 = never.
  func closeAfterFlush(_ connection: ConnectionRef, patience: UInt64) {
    guard !connection.pointee.has(.closed) else { return }
    // Over TLS the end has to be said, which may take as long as any other byte.
    if !connection.pointee.hasUnsent, patience == 0 || !tlsOwesClose(connection) {
      close(connection, isLocal: true)
      return
    }
    connection.pointee.flags.insert(.closeAfterFlush)
    markDirty(connection)
    if patience > 0 { linger(connection, patience) }
  }

  private func linger(_ connection: ConnectionRef, _ patience: UInt64) {
    connection.pointee.patienceMilliseconds = UInt32(clamping: max(1, patience / 1_000_000))
    connection.pointee.acknowledgedBytes = UInt32(
      truncatingIfNeeded: kernel.delivery(connection.pointee.fd).acknowledgedBytes)
    connection.pointee.deadline = now &+ patience
    ensureTimer(connection, by: connection.pointee.deadline)
  }

  /// A lingering connection's timer fired.
  ///
  /// Progress is what the peer acknowledged, not what the kernel has taken from us: an operation that sends all of a
  /// large output says nothing until it is over.
  func lingerTimerFired(_ connection: ConnectionRef) {
    guard now >= connection.pointee.deadline else {
      ensureTimer(connection, by: connection.pointee.deadline)
      return
    }
    let delivery = kernel.delivery(connection.pointee.fd)
    let acknowledged = UInt32(truncatingIfNeeded: delivery.acknowledgedBytes)
    guard connection.pointee.hasUnsent || delivery.isOutstanding,
      acknowledged != connection.pointee.acknowledgedBytes
    else {
      countLingerTimeout(connection)
      close(connection, isLocal: true)
      return
    }
    linger(connection, UInt64(connection.pointee.patienceMilliseconds) &* 1_000_000)
  }

  /// Under the name of the setting that was the connection's patience.
  private func countLingerTimeout(_ connection: ConnectionRef) {
    if let host = connection.pointee.host {
      slab.increment(host.pointee.cluster.pointee.pointer.pointee.stats.cxIdleTimeout)
      return
    }
    guard let chain = connection.pointee.chain else { return }
    switch chain.pointee.terminal {
    case .http(let manager): slab.increment(manager.pointer.pointee.stats.cxDelayedCloseTimeout)
    case .tcpProxy(let proxy): slab.increment(proxy.pointer.pointee.stats.idleTimeout)
    case .directResponse: break
    }
  }
}
