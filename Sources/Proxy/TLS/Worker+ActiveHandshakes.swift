import Reactor
import Stats
import TLS

/// The handshakes under way, the one that has waited longest for its peer first.
extension Worker {
  func tlsBegan(_ tls: TLSRef) {
    if tlsActive >= TLSLimits.handshakesMax, let oldest = firstActiveTLS {
      slab.increment(environment.stats.tlsHandshakesEvicted)
      tlsFailed(oldest.pointee.connection, oldest, .evicted)
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
  func tlsTouch(_ tls: TLSRef) {
    guard lastActiveTLS != tls else { return }
    unlink(tls)
    append(tls)
  }

  func tlsHandshakeEnded(_ tls: TLSRef) {
    unlink(tls)
    tlsActive -= 1
    slab.decrement(environment.stats.tlsHandshakesActive)
  }
}
