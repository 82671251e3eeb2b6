import Glibc
import Primitives

/// A connection between the proxy and a peer: two pipes.
final class VirtualConnection {
  let id: Int
  /// From the peer to the proxy.
  let toProxy: Pipe
  /// From the proxy to the peer.
  let toPeer: Pipe
  /// Addresses as the proxy sees them.
  let peerAddress: SocketAddress
  let proxyAddress: SocketAddress
  private let events: EventQueue
  private let latency: () -> UInt64
  private var isProxyGone = false
  private var isPeerGone = false

  /// Whether its peer has bytes that it has not written yet.
  var peerHasOutput: () -> Bool = { false }

  /// Bytes of the proxy that its peer will still read, or of a slow peer that the proxy still takes.
  var hasUndelivered: Bool {
    !isPeerGone && !toPeer.isReset && (toPeer.unreadCount > 0 || toProxy.room > 0 && peerHasOutput())
  }
  private(set) var resetIsOnTheWay = false
  private var errorIsTaken = false

  init(
    id: Int, events: EventQueue, latency: @escaping () -> UInt64, capacity: Int,
    peerAddress: SocketAddress, proxyAddress: SocketAddress
  ) {
    self.id = id
    self.events = events
    self.latency = latency
    self.peerAddress = peerAddress
    self.proxyAddress = proxyAddress
    toProxy = Pipe(capacity: capacity, events: events, latency: latency)
    toPeer = Pipe(capacity: capacity, events: events, latency: latency)
    toProxy.onUnwanted = { [unowned self] in reset() }
    toPeer.onUnwanted = { [unowned self] in reset() }
  }

  /// Both ends learn it a little later; what is on the way is lost.
  func reset() {
    guard !resetIsOnTheWay else { return }
    resetIsOnTheWay = true
    events.after(latency()) { [self] in
      toProxy.reset()
      toPeer.reset()
      disposeIfOver()
    }
  }

  /// The error of a broken connection, as the kernel reports it: once, to whichever call comes first.
  func takeError() -> Int32? {
    guard !errorIsTaken else { return nil }
    errorIsTaken = true
    return ECONNRESET
  }

  /// The proxy has closed its socket. With bytes unread the peer sees a reset (RFC 2525 section 2.17).
  func proxyClosed() {
    isProxyGone = true
    toProxy.readerIsGone = true
    toProxy.onArrival = {}
    toPeer.onRoom = {}
    end(toPeer, unread: toProxy)
    disposeIfOver()
  }

  func peerClosed() {
    isPeerGone = true
    toPeer.readerIsGone = true
    toPeer.onArrival = {}
    toProxy.onRoom = {}
    end(toProxy, unread: toPeer)
    disposeIfOver()
  }

  /// One side has closed: an orderly end, or a reset when it leaves bytes unread. No end follows a reset.
  private func end(_ own: Pipe, unread: Pipe) {
    if !unread.arrived.isEmpty {
      reset()
    } else if !resetIsOnTheWay {
      own.end()
    }
  }

  private func disposeIfOver() {
    guard isProxyGone, isPeerGone else { return }
    toProxy.dispose()
    toPeer.dispose()
  }
}
