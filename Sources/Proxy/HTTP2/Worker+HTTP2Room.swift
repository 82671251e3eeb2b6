import HTTP2
import HTTPCore
import Primitives
import Reactor

/// Backpressure between streams that share a connection: each may hold a little, none all of it.
extension Worker {
  /// A stream may always hold this much, whatever its neighbours hold.
  private static let streamBytesMin = 16 << 10

  /// What one stream may hold of its connection's limit.
  @inline(__always)
  private func streamLimit(_ connection: ConnectionRef) -> Int {
    max(32 << 10, min(connection.pointee.outputLimit / 8, 256 << 10))
  }

  @inline(__always)
  private func isOverLimit(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ own: Int) -> Bool {
    own > streamLimit(connection)
      || (h2.pointee.queuedBytes > connection.pointee.outputLimit && own > Self.streamBytesMin)
  }

  func isHTTP2ResponseBlocked(_ stream: HTTPStreamRef) -> Bool {
    let connection = stream.pointee.connection
    guard let h2 = http2(connection), !stream.pointee.has(.finished),
      isOverLimit(connection, h2, stream.pointee.responseQueue.byteCount)
    else { return false }
    stream.pointee.flags.insert(.isResponseBlocked)
    return true
  }

  func isHTTP2RequestBlocked(_ stream: HTTPStreamRef, _ connection: ConnectionRef) -> Bool {
    guard let h2 = http2(connection),
      isOverLimit(connection, h2, stream.pointee.upstream.waitingBody.byteCount)
    else { return false }
    stream.pointee.flags.insert(.isRequestBlocked)
    return true
  }

  /// A stream has handed out some of its body: when it was blocked and holds little now, its source goes on after the
  /// flush.
  @inline(__always)
  func relieveIfSmall(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef, _ stream: HTTPStreamRef) {
    let isDownstream = connection.pointee.role == .http2
    guard stream.pointee.has(isDownstream ? .isResponseBlocked : .isRequestBlocked) else { return }
    let own = isDownstream ? stream.pointee.responseQueue.byteCount : stream.pointee.upstream.waitingBody.byteCount
    guard own <= streamLimit(connection) / 2,
      h2.pointee.queuedBytes <= connection.pointee.outputLimit || own <= Self.streamBytesMin
    else { return }
    stream.pointee.flags.remove(isDownstream ? .isResponseBlocked : .isRequestBlocked)
    if isDownstream {
      stream.pointee.nextRelieved = h2.pointee.relieved
      h2.pointee.relieved = stream
    } else {
      stream.pointee.upstream.nextRelieved = h2.pointee.relieved
      h2.pointee.relieved = stream
    }
  }

  /// After the flush: other sessions may be touched now.
  func http2Relieve(_ connection: ConnectionRef, _ h2: HTTP2ConnectionRef) {
    var next = h2.pointee.relieved
    h2.pointee.relieved = nil
    let isDownstream = connection.pointee.role == .http2
    while let stream = next {
      if isDownstream {
        next = stream.pointee.nextRelieved
        stream.pointee.nextRelieved = nil
        if !stream.pointee.has(.finished) { responseUnblocked(stream) }
      } else {
        next = stream.pointee.upstream.nextRelieved
        stream.pointee.upstream.nextRelieved = nil
        if !stream.pointee.has(.finished) { requestUnblocked(stream) }
      }
    }
  }
}
