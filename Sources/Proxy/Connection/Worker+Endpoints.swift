import HTTPCore
import Primitives
import Reactor

extension Worker {
  func clientEndpoint(_ connection: ConnectionRef) -> StreamInfo.Endpoint {
    StreamInfo.Endpoint(ip: connection.pointee.client, port: connection.pointee.clientPort)
  }

  func peerEndpoint(_ connection: ConnectionRef) -> StreamInfo.Endpoint {
    StreamInfo.Endpoint(ip: connection.pointee.peer, port: connection.pointee.peerPort)
  }

  /// What logs say of the client's TLS.
  @inline(__always)
  func noteTLS(_ connection: ConnectionRef, in info: inout StreamInfo) {
    guard let tls = connection.pointee.tls else { return }
    info.requestedServerName = tls.pointee.serverName
    info.downstreamTLS = TLSConnection.facts(tls)
    info.downstreamTransportFailureReason = tls.pointee.failureReason
  }

  /// What logs say of TLS to the host: a copy, since the connection may be gone when they say it.
  func noteUpstreamTLS(_ stream: HTTPStreamRef, _ connection: ConnectionRef) {
    guard let tls = connection.pointee.tls else {
      stream.pointee.info.upstreamTLS = nil
      return
    }
    stream.pointee.info.upstreamTLS = TLSConnection.facts(tls).pointee.copied(to: &stream.pointee.arena)
  }

  /// The listener's address: the socket's own is the same but for wildcard listeners.
  func localEndpoint(_ connection: ConnectionRef) -> StreamInfo.Endpoint {
    guard let config = connection.pointee.epoch?.pointee.pointer else { return .none }
    let index = Int(connection.pointee.addressIndex)
    guard index < config.pointee.localEndpoints.buffer.count else { return .none }
    return config.pointee.localEndpoints.buffer[index]
  }

  func hostEndpoint(_ host: HostRef) -> StreamInfo.Endpoint {
    let config = host.pointee.pointer
    if case .ip(let ip, let port) = config.pointee.address {
      return StreamInfo.Endpoint(ip: ip, port: port)
    }
    return StreamInfo.Endpoint(ip: nil, port: 0, path: config.pointee.text.view)
  }
}

/// Texts of system errors that never go away, for log records.
enum ErrnoText {
  private static let table: [FrozenText] = (0..<134).map {
    FrozenText(errnoDescription(Int32($0)).replacingSpaces())
  }

  static func view(_ errno: Int32) -> ByteView {
    let index = Int(errno)
    return table.indices.contains(index) ? table[index].view : ByteView("unknown_error")
  }
}
