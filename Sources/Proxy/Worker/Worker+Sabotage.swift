import Primitives
import Reactor

/// Bugs that the simulator plants to show that its checks find them.
package enum Sabotage: String, CaseIterable {
  /// A second answer to a request.
  case doubleAnswer
  /// A stream's generation is unpinned once too often.
  case unpinnedTwice
  /// A segment is never given back.
  case lostSegment

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
      var victim: ConnectionRef?
      connections.forEach {
        if victim == nil, $0.pointee.role == .http1, $0.pointee.session != nil,
          !$0.pointee.has(.closed)
        {
          victim = $0
        }
      }
      guard let connection = victim, let stream = httpStream(connection) else { return false }
      switch sabotage {
      case .doubleAnswer:
        guard stream.pointee.has(.headDone), !stream.pointee.has(.responseHeadWritten) else {
          return false
        }
        segments.copy(
          ByteView("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), to: &connection.pointee.output)
        markDirty(connection)
      case .unpinnedTwice: unpin(stream.pointee.generation)
      case .lostSegment: _ = segments.chunk()
      }
      return true
    #else
      return true
    #endif
  }
}
