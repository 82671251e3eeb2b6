import HTTP2
import Primitives
import Reactor
import TLS

/// What a worker has lent out, counted: zero everywhere when nothing is leaked and nothing goes on.
package struct WorkerAudit: Equatable {
  package var connections = 0
  package var streams = 0
  /// Of `streams` and `connections`: requests that the process itself makes.
  package var internalRequests = 0
  package var tcpSessions = 0
  package var connectionRecords = 0
  package var failureTexts = 0
  package var filterTimers = 0
  package var segments = 0
  package var receiveBuffers = 0
  package var arenaChunks = 0
  package var oldGenerations = 0
  package var timers = 0
  package var lentPipes = 0
  package var idlePipes = 0
  package var http2Connections = 0
  package var http2Sessions = 0
  package var http2Streams = 0
  package var tlsConnections = 0
  package var tlsHandshakes = 0
  /// The library's.
  package var tlsHandshakeObjects = 0
  package var tlsTexts = 0
  /// Hosts that had requests, by their count, when they were freed.
  package var miscountedHosts = 0

  package init() {}
}

/// Bytes that one connection holds, beside its limit.
package struct ConnectionLoad {
  package let fd: Int32
  package let outputBytes: Int
  package let inputBytes: Int
  /// Records that wait to be sent.
  package let sealedBytes: Int
  package let limitBytes: Int
}

extension Worker {
  package var audit: WorkerAudit {
    var audit = WorkerAudit()
    audit.connections = connections.liveCount
    audit.streams = http.streams.lentCount
    audit.internalRequests = http.internalRequests
    audit.tcpSessions = tcpSessions.lentCount
    audit.connectionRecords = connectionRecords.lentCount
    audit.failureTexts = failureTexts.lentCount
    audit.filterTimers = http.timers.lentCount
    audit.segments = segments.lentCount
    audit.receiveBuffers = segments.totalBuffers - segments.availableBuffers
    audit.arenaChunks = arenas.lentCount
    audit.oldGenerations = oldGenerations.count
    audit.timers = timers.count
    audit.lentPipes = pipes.lentCount
    audit.idlePipes = pipes.idleCount
    audit.http2Connections = http.http2Connections.lentCount
    audit.http2Sessions = http.http2Memory?.sessionCount ?? 0
    audit.http2Streams = http.http2Memory?.streamCount ?? 0
    audit.tlsConnections = tlsConnections.lentCount
    audit.tlsHandshakes = tlsActive
    audit.tlsHandshakeObjects = tlsContexts?.library.handshakeCount ?? 0
    audit.tlsTexts = tlsTexts.lentCount
    audit.miscountedHosts = miscountedHosts
    return audit
  }

  /// Streams that pin the current generation; before ``shutDown()`` only.
  package var currentGenerationStreams: Int { generation.pointee.streamCount }

  /// Versions of listeners that still have connections, and the current ones.
  package var epochCount: Int { epochs.count }

  /// What a request without a client has not got rid of.
  private func waitingInternalBytes(_ connection: ConnectionRef) -> Int {
    guard connection.pointee.role == .internalClient, let stream = httpStream(connection) else { return 0 }
    return stream.pointee.upstream.waitingBody.byteCount
  }

  /// Calls `body` with the number of every host that this worker knows, and its requests of it, those that wait for a
  /// connection too.
  package func forEachHost(_ body: (_ number: UInt32, _ active: UInt32) -> Void) {
    for case let cluster? in clusters {
      for case let host? in cluster.pointee.hosts { body(host.pointee.pointer.pointee.number, host.pointee.active) }
    }
  }

  /// Calls `body` for every open connection.
  package func forEachLoad(_ body: (ConnectionLoad) -> Void) {
    connections.forEach {
      body(
        ConnectionLoad(
          fd: $0.pointee.fd, outputBytes: $0.pointee.output.byteCount + waitingInternalBytes($0),
          inputBytes: $0.pointee.input.byteCount + ($0.pointee.tls?.pointee.received.byteCount ?? 0),
          sealedBytes: $0.pointee.tls?.pointee.sending.byteCount ?? 0, limitBytes: $0.pointee.outputLimit))
    }
  }
}
