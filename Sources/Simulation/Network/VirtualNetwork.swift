import Primitives

/// Everything the proxy can reach and everyone who can reach it.
final class VirtualNetwork {
  /// Someone the proxy may connect to.
  struct Origin {
    /// A connection has been made.
    let accept: (PeerSocket) -> Void
  }

  let events: EventQueue
  let dice: Dice
  let trace: Trace
  var faults: Faults
  let coverage = CoverageRecord()
  /// Bytes that a direction of a connection holds at most.
  let pipeCapacity: ClosedRange<Int>
  private var listeners: [VirtualListener] = []
  private var origins: [(address: SocketAddress, origin: Origin)] = []
  private var connections: [VirtualConnection] = []

  init(
    events: EventQueue, dice: Dice, trace: Trace, faults: Faults, pipeCapacity: ClosedRange<Int>
  ) {
    self.events = events
    self.dice = dice
    self.trace = trace
    self.faults = faults
    self.pipeCapacity = pipeCapacity
  }

  private func latency() -> UInt64 {
    UInt64(dice.within(500...Int(max(501, faults.latencyMax))))
  }

  private func makeConnection(peer: SocketAddress, proxy: SocketAddress) -> VirtualConnection {
    let connection = VirtualConnection(
      id: connections.count + 1, events: events, latency: { [unowned self] in latency() },
      capacity: dice.skewed(pipeCapacity), peerAddress: peer, proxyAddress: proxy)
    connections.append(connection)
    return connection
  }

  var hasUndelivered: Bool { connections.contains { $0.hasUndelivered } }

  /// The run is over: breaks the cycles between connections and peers.
  func dispose() {
    for connection in connections {
      connection.toPeer.dispose()
      connection.toProxy.dispose()
    }
    connections = []
    origins = []
  }

  // MARK: Clients to the proxy

  func open(_ listener: VirtualListener) { listeners.append(listener) }

  /// The proxy closes a listening socket: who was not accepted is reset.
  func close(_ listener: VirtualListener) {
    listener.isOpen = false
    listener.onClient = {}
    listeners.removeAll { $0 === listener }
    for connection in listener.waiting {
      connection.proxyClosed()
      connection.reset()
    }
    listener.waiting = []
  }

  /// Connects a client; nil when nobody listens.
  func connect(to address: SocketAddress, from client: SocketAddress) -> PeerSocket? {
    guard let listener = listeners.last(where: { $0.address == address }) else { return nil }
    let connection = makeConnection(peer: client, proxy: address)
    listener.waiting.append(connection)
    listener.onClient()
    return PeerSocket(connection, network: self)
  }

  // MARK: The proxy to origins

  func add(_ origin: Origin, at address: SocketAddress) { origins.append((address, origin)) }

  /// The other end of a new connection to `address`; nil when nobody is there.
  func connectOrigin(_ address: SocketAddress, from proxy: SocketAddress) -> VirtualConnection? {
    guard let found = origins.first(where: { $0.address == address }) else { return nil }
    let connection = makeConnection(peer: address, proxy: proxy)
    found.origin.accept(PeerSocket(connection, network: self))
    return connection
  }
}
