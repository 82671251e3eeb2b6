import HTTPCore
import Primitives

/// Connections that lead to a host which is gone or has failed: what is on them is finished, and nothing else begins there.
extension Worker {
  @inline(__always)
  func isGivenUp(_ connection: ConnectionRef, _ host: HostRef) -> Bool {
    host.pointee.isRemoved || connection.pointee.drainCount != host.pointee.drainCount
  }

  /// Idle connections close, others when they are done.
  func giveUpConnections(_ host: HostRef) {
    host.pointee.drainCount &+= 1
    // Closing its last connection must not free it under our hands.
    host.pointee.users += 1
    closeIdle(host)
    host.pointee.users -= 1
  }

  /// Sessions of TCP and tunnels on connections that are given up end at once
  /// (`close_connections_on_host_health_failure`).
  func closeSessions(of cluster: ClusterRef) {
    var given: [ConnectionRef] = []
    connections.forEach { connection in
      guard connection.pointee.role == .upstreamTCP || connection.pointee.role == .upstreamTunnel,
        let host = connection.pointee.host, host.pointee.cluster == cluster, isGivenUp(connection, host)
      else { return }
      given.append(connection)
    }
    for connection in given where !connection.pointee.has(.closed) {
      if connection.pointee.role == .upstreamTCP {
        tcpHostFailed(connection)
      } else {
        tunnelHostFailed(connection)
      }
    }
  }
}
