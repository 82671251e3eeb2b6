import Primitives
import Reactor

/// Connections to hosts whose bytes are a sink's affair. Below the bytes they are upstream connections like any other.
extension Worker {
  // MARK: What others may ask

  /// Connects to one host of a cluster.
  ///
  /// - Parameters:
  ///   - index: Where it was among the cluster's hosts: it is looked at first.
  ///   - identity: ``HostConfig/identity``.
  /// - Returns: Nil when the cluster does not have the host, or the system no socket.
  public func startProbe(cluster slot: UInt32, index: Int, identity: UInt64, sink: ProbeSink) -> Probe? {
    guard !isStopped, Int(slot) < clusters.count, let cluster = clusters[Int(slot)],
      let host = namedHost(cluster, index: index, identity: identity), reserveConnection(host, nil, isHigh: false),
      let connection = connect(host, nil, role: .probe, isHigh: false).0
    else { return nil }
    connection.pointee.session = Unmanaged.passRetained(sink).toOpaque()
    return probe(connection)
  }

  /// Sends bytes; copies them. They wait until the host can be spoken to.
  public func send(_ bytes: ByteView, to probe: Probe) {
    guard let connection = connection(of: probe), !bytes.isEmpty else { return }
    segments.copy(bytes, to: &connection.pointee.output)
    if !connection.pointee.has(.connecting) { markDirty(connection) }
  }

  /// Ends a probe: its sink hears no more of it.
  public func cancel(_ probe: Probe) {
    guard let connection = connection(of: probe) else { return }
    takeSink(connection)?.release()
    close(connection, isLocal: true)
  }

  // MARK: What happens on the connection

  func probeConnected(_ connection: ConnectionRef) {
    sink(connection)?.connected(self, probe(connection))
  }

  func probeReceived(_ connection: ConnectionRef, _ segment: SegmentRef) {
    sink(connection)?.received(self, probe(connection), ByteView(segment.pointee.base, segment.pointee.count))
    segments.release(segment)
  }

  func probeConnectFailed(_ connection: ConnectionRef, _ failure: TransportFailure) {
    endProbe(connection, failure.isTimeout ? ByteView("connect timeout") : failure.view)
  }

  /// - Parameter errno: 0 when the host has closed in order.
  func probeEnded(_ connection: ConnectionRef, errno: Int32) {
    endProbe(connection, errno == 0 ? ByteView("closed by the host") : ErrnoText.view(errno))
  }

  private func endProbe(_ connection: ConnectionRef, _ reason: ByteView) {
    let probe = probe(connection)
    let sink = takeSink(connection)?.takeRetainedValue()
    sink?.ended(self, probe, reason)
    close(connection, isLocal: false)
  }

  /// The worker ends, or the connection for another reason.
  func releaseProbe(_ connection: ConnectionRef) { takeSink(connection)?.release() }

  // MARK: Names

  private func sink(_ connection: ConnectionRef) -> ProbeSink? {
    // Held during the call: a sink may cancel its own probe.
    connection.pointee.session.map { Unmanaged<ProbeSink>.fromOpaque($0).takeUnretainedValue() }
  }

  private func takeSink(_ connection: ConnectionRef) -> Unmanaged<ProbeSink>? {
    guard let session = connection.pointee.session else { return nil }
    connection.pointee.session = nil
    return .fromOpaque(session)
  }

  private func probe(_ connection: ConnectionRef) -> Probe {
    Probe(slot: connection.pointee.slot, generation: connection.pointee.generation & 0xFF_FFFF)
  }

  private func connection(of probe: Probe) -> ConnectionRef? {
    guard let connection = connections.find(Token(.ignore, slot: probe.slot, generation: probe.generation)),
      connection.pointee.role == .probe, !connection.pointee.has(.closed)
    else { return nil }
    return connection
  }
}
