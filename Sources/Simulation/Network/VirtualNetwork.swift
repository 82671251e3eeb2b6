import Primitives

/// Everything the proxy can reach and everyone who can reach it.
final class VirtualNetwork {
  /// Someone the proxy may connect to.
  struct Origin {
    /// A connection has been made.
    let accept: (PeerSocket) -> Void
    /// One by which main asks how the host is.
    var acceptCheck: ((PeerSocket) -> Void)?
    /// What becomes of those who want to connect now.
    var door: () -> Door = { .open }
  }

  enum Door { case open, refusing, unanswering }

  enum Connecting {
    case taken(VirtualConnection)
    case refused
    /// Nothing ever comes back.
    case unanswered
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

  /// The other end of a new connection to `address`; refused when nobody is there.
  ///
  /// - Parameter isCheck: Main asks how the host is.
  func connectOrigin(_ address: SocketAddress, from proxy: SocketAddress, isCheck: Bool) -> Connecting {
    guard let origin = origins.first(where: { $0.address == address })?.origin else { return .refused }
    switch origin.door() {
    case .open: break
    case .refusing: return .refused
    case .unanswering: return .unanswered
    }
    let connection = makeConnection(peer: address, proxy: proxy)
    let socket = PeerSocket(connection, network: self)
    if isCheck, let acceptCheck = origin.acceptCheck { acceptCheck(socket) } else { origin.accept(socket) }
    return .taken(connection)
  }
}
