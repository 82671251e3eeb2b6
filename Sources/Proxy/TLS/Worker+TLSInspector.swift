import Primitives
import Reactor
import Stats
import TLS

/// The listener filter that reads a ClientHello without answering: its name and protocols choose the filter chain.
extension Worker {
  enum Inspection {
    case needsMore
    case refused
    case plain
    /// TLS, with what the hello says.
    case tls(serverName: ByteView, protocols: ByteView)
  }

  func inspectTLS(
    _ connection: ConnectionRef, _ config: UnsafeMutablePointer<ListenerConfig>
  ) -> Inspection {
    let view = contiguousInput(connection)
    guard let stats = config.pointee.inspectorStats else { return .plain }
    let limit = min(config.pointee.tlsInspector.helloBytesMax, TLSLimits.clientHelloBytesMax)
    switch ClientHello.parse(view, limit: limit, scratch: tlsScratch) {
    case .needMore: return .needsMore
    case .notTLS:
      slab.increment(stats.tlsNotFound)
      slab.record(stats.bytesProcessed, UInt64(view.count))
      return .plain
    case .tooLarge:
      slab.increment(stats.clientHelloTooLarge)
      return .refused
    case .malformed:
      slab.increment(stats.tlsNotFound)
      return config.pointee.tlsInspector.closesOnMalformed ? .refused : .plain
    case .complete(let hello):
      slab.increment(stats.tlsFound)
      slab.increment(hello.serverName.isEmpty ? stats.sniNotFound : stats.sniFound)
      slab.increment(hello.protocols.isEmpty ? stats.alpnNotFound : stats.alpnFound)
      slab.record(stats.bytesProcessed, UInt64(hello.recordBytes))
      return .tls(serverName: lowerCased(hello.serverName), protocols: hello.protocols)
    }
  }

  /// In the scratch memory's second half; valid until the next hello.
  private func lowerCased(_ name: ByteView) -> ByteView {
    guard name.count > 0, name.count <= ServerName.bytesMax else { return .empty }
    let target = tlsScratch + TLSLimits.clientHelloBytesMax
    return ByteView(target, ServerName.copyLowerCased(name, to: target))
  }
}
