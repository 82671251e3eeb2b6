import Primitives
import Reactor
import Stats
import Synchronization

extension Worker {
  /// Stops accepting for good; connections end with their current request, idle ones now.
  func beginDrain() {
    guard !isDraining else { return }
    isDraining = true
    for i in listeners.indices { removeListener(i) }
    drainConnections()
    reportProgress()
  }

  /// Asks every downstream connection to end: idle ones close, others answer with
  /// `connection: close`.
  func drainConnections() {
    let limit = environment.flags.drainNanoseconds
    for epoch in epochs {
      var next = epoch.pointee.first
      while let connection = next {
        next = connection.pointee.next
        connection.pointee.flags.insert(.drains)
        if connection.pointee.role == .http1, connection.pointee.session == nil,
          !holdsInput(connection)
        {
          if let manager = httpManager(connection) {
            slab.increment(manager.pointee.stats.cxDrainClose)
          }
          // Requests on their way get an orderly end rather than a reset.
          finishGracefully(connection, patience: 1_000_000_000)
          continue
        }
        if connection.pointee.role == .http2, let h2 = http2(connection) {
          http2BeginDrain(connection, h2)
        }
        if connection.pointee.deadline == 0 {
          connection.pointee.deadline = now &+ limit
          ensureTimer(connection, by: connection.pointee.deadline)
        }
      }
    }
  }

  /// Ends whatever is left: open connections close, their records are written, their counts taken
  /// back. For the thread's end.
  public func shutDown() {
    if let loads { loads.rows[index].ring.store(-1, ordering: .relaxed) }
    isDraining = true
    // No internal request begins any more.
    isStopped = true
    for i in listeners.indices { removeListener(i) }
    var open: [ConnectionRef] = []
    connections.forEach { if !$0.pointee.has(.closed) { open.append($0) } }
    for connection in open where !connection.pointee.has(.closed) {
      if connection.pointee.role == .tcp || connection.pointee.role == .upstreamTCP {
        closeTCP(connection)
      } else {
        close(connection, isLocal: true)
      }
    }
    // Completions of what was cancelled; a few turns suffice, and nobody waits for a lost one.
    // Listening sockets close when their accept is cancelled.
    for _ in 0..<64 where connections.liveCount > 0 || sockets.contains(where: { $0.fd >= 0 }) {
      kernel.enter(timeoutNanoseconds: 1_000_000)
      turnWithoutWaiting()
    }
    turnWithoutWaiting()
    leaveEverything()
    status.setEnded()
    reportProgress()
    kernel.enter(timeoutNanoseconds: 0)
  }

  /// Connections from clients that are still open.
  public var downstreamConnectionCount: Int {
    epochs.reduce(0) { $0 + $1.pointee.connectionCount }
  }
}
