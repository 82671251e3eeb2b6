import Primitives
import Reactor

extension Worker {
  /// Hands a line of a key log to the log writer: like those of access logs it is dropped and counted when there is no
  /// room.
  func logKeys(_ tls: TLSRef, _ line: ByteView, _ log: TLSKeyLog) {
    let connection = tls.pointee.connection
    guard isIn(log.local, connection, peer: false), isIn(log.remote, connection, peer: true) else { return }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: line.count + 1) { room in
      guard let text = room.baseAddress else { return }
      text.update(from: line.base, count: line.count)
      text[line.count] = UInt8(ascii: "\n")
      logRing.write(target: log.target, ByteView(text, line.count + 1))
    }
  }

  /// Whether an address of the connection is in one of the ranges; no ranges are all addresses.
  private func isIn(_ ranges: [AddressRange], _ connection: ConnectionRef, peer: Bool) -> Bool {
    if ranges.isEmpty { return true }
    // The client that a PROXY header names, else the socket's own.
    let known = peer && connection.pointee.epoch != nil ? connection.pointee.client : nil
    guard let address = known ?? socketAddress(connection, peer: peer) else { return false }
    return ranges.contains { $0.contains(address) }
  }

  private func socketAddress(_ connection: ConnectionRef, peer: Bool) -> IPAddress? {
    guard case .ip(let address, _)? = kernel.address(of: connection.pointee.fd, peer: peer) else { return nil }
    return address
  }
}
