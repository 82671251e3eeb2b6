import HTTP2
import HostHealth
import Primitives

#if DEBUG
  /// Known bugs about hosts and limits, planted by the simulator.
  extension Worker {
    /// A unit that a repeat still holds is given back, and will be once more.
    func releaseRepeatTwice() -> Bool {
      var isDone = false
      connections.forEach { connection in
        guard !isDone, !connection.pointee.has(.closed), connection.pointee.session != nil else { return }
        switch connection.pointee.role {
        case .http1: if let stream = httpStream(connection) { isDone = releaseEarly(stream) }
        case .http2:
          var next = http2(connection)?.pointee.first
          while !isDone, let stream = next {
            isDone = releaseEarly(stream)
            next = stream.pointee.nextStream
          }
        default: break
        }
      }
      return isDone
    }

    private func releaseEarly(_ stream: HTTPStreamRef) -> Bool {
      guard let config = stream.pointee.upstream.cluster?.pointee.pointer,
        stream.pointee.upstream.plan?.pointee.flags.contains(.holdsRetryUnit) ?? false
          || stream.pointee.has(.holdsOwnRepeat)
      else { return false }
      breakers(stream, config).releaseRetry()
      return true
    }

    /// The worker goes on with a set in which nobody is out of service.
    func keepStaleHosts() -> Bool {
      for case let cluster? in clusters {
        let set = cluster.pointee.set
        guard set.pointee.flags.buffer.contains(where: { $0.state == .unhealthy }),
          set.pointee.flags.buffer.contains(where: { $0.state == .healthy })
        else { continue }
        let stale = HostSetBuilder(set.pointee.settings).build(
          Array(set.pointee.hosts.buffer), flags: set.pointee.flags.buffer.map { _ in [] })
        // No table has it.
        _ = Unmanaged.passRetained(stale)
        setHosts(cluster, stale, before: cluster.pointee.config)
        return true
      }
      return false
    }
  }
#endif
