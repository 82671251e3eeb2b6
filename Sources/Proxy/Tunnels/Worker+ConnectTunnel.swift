import HTTP1
import HTTPCore
import Primitives
import Reactor
import Routing
import Stats

/// CONNECT that ends at this proxy (`connect_config`): its bytes go to the host as they are, over TCP.
extension Worker {
  /// Whether a route carries the request's bytes over TCP instead of sending the request on.
  func terminatesConnect(_ stream: HTTPStreamRef, _ entry: UnsafePointer<RouteEntry>) -> Bool {
    guard entry.pointee.terminatesConnect else { return false }
    if stream.pointee.requestMethod == .connect { return true }
    return entry.pointee.connectTakesPost && stream.pointee.request.value(.method).map { $0 == "POST" } ?? false
  }

  /// A connection for this stream alone. Until it is there, the stream counts as one that waits for one.
  func connectTunnel(_ stream: HTTPStreamRef, _ host: HostRef) {
    guard let cluster = stream.pointee.upstream.cluster else { return }
    let config = cluster.pointee.pointer
    let isHigh = isHighPriority(stream)
    guard breakers(stream, config).reservePending() else {
      slab.increment(config.pointee.stats.rqPendingOverflow)
      overflow(stream, .pending)
      return
    }
    slab.increment(config.pointee.stats.rqPendingTotal)
    slab.increment(config.pointee.stats.rqPendingActive)
    stream.pointee.upstream.state = .pending
    stream.pointee.upstream.pendingSince = now
    countActive(host)
    guard reserveConnection(host, nil, isHigh: isHigh) else {
      dequeue(stream)
      overflow(stream, .connections)
      return
    }
    let (made, errno) = connect(host, nil, role: .upstreamTunnel, isHigh: isHigh)
    guard let connection = made else {
      dequeue(stream)
      connectFailed(stream, .system(-errno))
      return
    }
    connection.pointee.session = UnsafeMutableRawPointer(stream)
    stream.pointee.upstream.connection = connection
  }

  func tunnelConnected(_ connection: ConnectionRef) {
    guard let stream = httpStream(connection) else {
      close(connection, isLocal: true)
      return
    }
    dequeue(stream)
    attach(stream, connection)
  }

  func tunnelConnectFailed(_ connection: ConnectionRef, _ failure: TransportFailure) {
    let stream = httpStream(connection)
    connection.pointee.session = nil
    if let stream {
      stream.pointee.upstream.connection = nil
      dequeue(stream)
      connectFailed(stream, failure)
    }
    close(connection, isLocal: failure.isTimeout)
  }

  /// The host has failed its checks, or was ejected.
  func tunnelHostFailed(_ connection: ConnectionRef) {
    guard !connection.pointee.has(.connecting), let stream = httpStream(connection) else { return }
    detach(stream, isSuccess: false)
    connection.pointee.flags.insert(.endsUnderRequest)
    close(connection, isLocal: true)
    attemptFailed(stream, .terminated())
  }

  /// The client gives up before the connection is there.
  func abandonConnecting(_ stream: HTTPStreamRef) {
    guard let connection = stream.pointee.upstream.connection else { return }
    stream.pointee.upstream.connection = nil
    connection.pointee.session = nil
    close(connection, isLocal: true)
  }

  /// The host is there, which is all that 200 says.
  func beginConnectTunnel(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    stream.pointee.upstream.headWritten = true
    stream.pointee.upstream.headDone = true
    stream.pointee.upstream.anyByteReceived = true
    stream.pointee.upstream.head.status = 200
    stream.pointee.upstream.head.framing = .untilClose
    stream.pointee.upstream.head.keepAlive = false
    stream.pointee.info.upstreamResponseStart = now
    stream.pointee.info.responseCodeDetails = ByteView("via_upstream")
    writeProxyProtocol(stream, connection)
    var map = HeaderMap(unallocatedIn: stream.pointee.response.arenaPointer)
    map.append(.status, ByteView("200"))
    stream.pointee.response = map
    if stream.pointee.has(.isUpgrade) { acceptTunnel(stream) }
    countResult(stream, 200)
    recordUpstreamCode(stream, 200)
    prepareResponseHeaders(stream)
    encodeHeaders(stream, endsStream: false)
    startTunnel(stream, connection)
  }

  private func writeProxyProtocol(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    guard let version = stream.pointee.route.entry?.pointee.connectProxyProtocol, version > 0 else { return }
    let room = ProxyProtocolHeader.bytesMax
    let target = segments.reserve(room, in: &connection.pointee.output)
    let client = stream.pointee.connection
    let written = ProxyProtocolHeader.write(
      version: version, source: clientEndpoint(client), destination: localEndpoint(client), to: target)
    segments.unreserve(room - written, in: &connection.pointee.output)
    stream.pointee.info.upstreamWireBytesSent &+= UInt64(written)
    markDirty(connection)
  }
}
