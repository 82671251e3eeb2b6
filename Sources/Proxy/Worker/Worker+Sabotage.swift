import HTTP2
import Primitives
import Reactor

/// Bugs that the simulator plants to show that its checks find them.
package enum Sabotage: String, CaseIterable {
  /// A second answer to a request.
  case doubleAnswer
  /// A stream's generation is never unpinned.
  case neverUnpinned
  /// A segment is never given back.
  case lostSegment
  /// A DATA frame's header goes out without its payload.
  case headlessFrame
  /// A TLS record is protected with the nonce of the one before.
  case nonceReused
  /// Two TLS records leave in the wrong order.
  case recordOrderSwapped
  /// New keys are in use, and the peer is not told.
  case lostKeyUpdate
  /// The library's object for a handshake is forgotten.
  case handshakeNotFreed
  /// The end of one direction of a tunnel is not passed on.
  case tunnelEndLost
  /// A unit of the limit of repeats is given back twice.
  case doubleUnit
  /// Hosts that are out of service are chosen, as if a new set had not been adopted.
  case staleHostSet
  /// Requests are repeated however many are.
  case retryWithoutBudget
  /// A body that is sent once more lacks its last byte.
  case replayShort

  /// Those that this build can do: none in release.
  #if DEBUG
    package static let available = allCases
  #else
    package static let available: [Sabotage] = []
  #endif
}

extension Worker {
  /// Does what the bug would do, between two turns, to the first request that it can be done to.
  ///
  /// - Returns: False when there was none.
  package func suffer(_ sabotage: Sabotage) -> Bool {
    #if DEBUG
      switch sabotage {
      case .nonceReused, .recordOrderSwapped, .lostKeyUpdate, .handshakeNotFreed: return sufferTLS(sabotage)
      case .tunnelEndLost: return loseTunnelEnds()
      case .doubleUnit: return releaseRepeatTwice()
      case .staleHostSet: return keepStaleHosts()
      case .retryWithoutBudget:
        ignoresRetryLimits = true
        return true
      case .replayShort:
        shortensReplays = true
        return true
      case .doubleAnswer, .neverUnpinned, .lostSegment, .headlessFrame: break
      }
      let role: Connection.Role = sabotage == .headlessFrame ? .http2 : .http1
      var victim: ConnectionRef?
      connections.forEach {
        if victim == nil, $0.pointee.role == role, $0.pointee.session != nil,
          !$0.pointee.has(.closed)
        {
          victim = $0
        }
      }
      guard let connection = victim else { return false }
      switch sabotage {
      case .doubleAnswer:
        guard let stream = httpStream(connection), stream.pointee.has(.headDone),
          !stream.pointee.has(.responseHeadWritten)
        else { return false }
        segments.copy(
          ByteView("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), to: &connection.pointee.output)
        markDirty(connection)
      case .neverUnpinned:
        guard let stream = httpStream(connection) else { return false }
        // The opposite would free memory in use, which no check here can survive.
        stream.pointee.generation.pointee.streamCount &+= 1
      case .lostSegment: _ = segments.chunk()
      case .headlessFrame:
        guard let stream = http2(connection)?.pointee.first, let id = stream.pointee.h2?.pointee.id else { return false }
        let header: [UInt8] = [0, 0, 5, 0, 0, 0, 0, UInt8(truncatingIfNeeded: id >> 8), UInt8(truncatingIfNeeded: id)]
        header.withUnsafeBufferPointer {
          if let base = $0.baseAddress { segments.copy(ByteView(base, $0.count), to: &connection.pointee.output) }
        }
        markDirty(connection)
      case .nonceReused, .recordOrderSwapped, .lostKeyUpdate, .handshakeNotFreed, .tunnelEndLost, .doubleUnit,
        .staleHostSet, .retryWithoutBudget, .replayShort:
        break
      }
      return true
    #else
      return true
    #endif
  }
}
