import Format
import HTTPCore
import Primitives
import Reactor

/// The access log of a listener: one record for every connection, when it ends. As on Envoy it knows
/// nothing of requests; a TCP proxy's connection says all that is known of its session.
extension Worker {
  /// Writes the record of a downstream connection that ends, unless ``logConnection(of:)`` has.
  func logConnection(_ connection: ConnectionRef) {
    guard let record = connection.pointee.record else { return }
    var info = StreamInfo()
    info.start = connection.pointee.createdAt
    info.startWallNanoseconds = wallNow &- Int64(clamping: now &- connection.pointee.createdAt)
    info.end = now
    info.bytesReceived = record.pointee.bytesReceived
    info.bytesSent = record.pointee.bytesSent
    info.flags = record.pointee.flags
    info.version = record.pointee.version
    info.responseCodeDetails = record.pointee.details
    info.connectionID = connection.pointee.id
    info.downstreamRemote = clientEndpoint(connection)
    info.downstreamDirectRemote = peerEndpoint(connection)
    info.downstreamLocal = localEndpoint(connection)
    if let chain = connection.pointee.chain { info.filterChainName = chain.pointee.name.view }
    noteTLS(connection, in: &info)
    withUnsafeMutablePointer(to: &info) { writeRecord(connection, record, $0) }
  }

  /// Writes the record of a session's downstream connection, while all that the session knows is there.
  /// The connection may live on to send what it holds.
  func logConnection(of session: TCPSessionRef) {
    guard let connection = session.pointee.downstream, let record = connection.pointee.record else {
      return
    }
    var info = session.pointee.info
    info.end = now
    withUnsafeMutablePointer(to: &info) { writeRecord(connection, record, $0) }
  }

  private func writeRecord(
    _ connection: ConnectionRef, _ record: UnsafeMutablePointer<ConnectionRecord>,
    _ info: UnsafeMutablePointer<StreamInfo>
  ) {
    connection.pointee.record = nil
    connectionRecords.give(record)
    guard let config = connection.pointee.epoch?.pointee.pointer else { return }
    write(config.pointee.accessLogs.entries.buffer, info, nil, nil, nil, .notSet)
  }

  /// What a request tells of its connection.
  @inline(__always)
  func noteStream(_ stream: HTTPStreamRef) {
    guard let record = stream.pointee.connection.pointee.record else { return }
    if stream.pointee.info.flags.contains(.downstreamProtocolError) {
      record.pointee.flags.insert(.downstreamProtocolError)
    } else {
      record.pointee.version = stream.pointee.info.version
    }
  }
}
