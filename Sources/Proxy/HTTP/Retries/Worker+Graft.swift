import HTTP2
import HTTPCore
import Primitives
import Reactor

/// A hedged attempt that has won becomes the request's own.
extension Worker {
  /// The branch's exchange moves into the client's stream. Nothing else leads to an exchange: the connection's session or
  /// the codec's owner, the list of the HTTP/2 connection, the host's use, timers of the attempt.
  func graft(_ branch: HTTPStreamRef, onto stream: HTTPStreamRef, _ plan: UnsafeMutablePointer<AttemptPlan>) {
    unlinkBranch(branch)
    leaveUpstream(stream)
    if stream.pointee.has(.holdsOwnRepeat) { releaseOwnRepeat(stream) }
    segments.releaseAll(&stream.pointee.upstream.waitingBody)
    resetAttempt(stream)
    plan.pointee.perTryDeadline = 0
    moveExchange(branch, to: stream)
    moveConnection(branch, to: stream)
    moveFacts(branch, to: stream)
    // The branch's texts go with it.
    copyFields(from: responseMap(branch), to: responseMap(stream))
    branch.pointee.upstream = UpstreamRequest()
    cancelInternal(branch)
    stream.pointee.lastActivityAt = now
    scheduleStreamTimer(stream)
    if !stream.pointee.has(.isRequestBlocked) { resumeRequest(stream) }
  }

  private func moveExchange(_ branch: HTTPStreamRef, to stream: HTTPStreamRef) {
    adoptHost(of: branch, stream)
    stream.pointee.upstream.state = branch.pointee.upstream.state
    stream.pointee.upstream.pool = branch.pointee.upstream.pool
    stream.pointee.upstream.connection = branch.pointee.upstream.connection
    stream.pointee.upstream.h2 = branch.pointee.upstream.h2
    stream.pointee.upstream.waitingBody = branch.pointee.upstream.waitingBody
    stream.pointee.upstream.headWritten = branch.pointee.upstream.headWritten
    stream.pointee.upstream.bodySent = branch.pointee.upstream.bodySent
    stream.pointee.upstream.isTimeCounted = branch.pointee.upstream.isTimeCounted
    stream.pointee.upstream.pendingSince = branch.pointee.upstream.pendingSince
    stream.pointee.upstream.perTryIdleTimeout = branch.pointee.upstream.perTryIdleTimeout
    stream.pointee.upstream.durationDeadline = branch.pointee.upstream.durationDeadline
    stream.pointee.upstream.head = branch.pointee.upstream.head
    stream.pointee.upstream.headDone = branch.pointee.upstream.headDone
    stream.pointee.upstream.anyByteReceived = branch.pointee.upstream.anyByteReceived
    stream.pointee.upstream.length = branch.pointee.upstream.length
    stream.pointee.upstream.chunks = branch.pointee.upstream.chunks
    stream.pointee.upstream.pausedUpstream = branch.pointee.upstream.pausedUpstream
    let moved: HTTPStream.Flags = [.holdsRequestUnit, .isRequestBlocked]
    stream.pointee.flags.formUnion(branch.pointee.flags.intersection(moved))
    branch.pointee.flags.subtract(moved)
  }

  private func moveConnection(_ branch: HTTPStreamRef, to stream: HTTPStreamRef) {
    guard let connection = stream.pointee.upstream.connection else { return }
    if let codec = stream.pointee.upstream.h2, let h2 = http2(connection) {
      h2.pointee.requests.remove(branch)
      h2.pointee.requests.append(stream)
      codec.pointee.move(
        to: UnsafeMutableRawPointer(stream), arena: arena(stream), trailers: UnsafePointer(requestTrailerMap(stream)))
    } else {
      connection.pointee.session = UnsafeMutableRawPointer(stream)
    }
    if stream.pointee.manager.pointee.keepsUpstreamTLS { noteUpstreamTLS(stream, connection) }
  }

  /// What the log says of the attempt that has won.
  private func moveFacts(_ branch: HTTPStreamRef, to stream: HTTPStreamRef) {
    stream.pointee.info.takeAttempt(of: branch.pointee.info)
    stream.pointee.info.upstreamTransportFailureReason = .empty
    stream.pointee.info.responseCodeDetails = ByteView("via_upstream")
  }

  /// The request's host is the branch's from here on.
  func adoptHost(of branch: HTTPStreamRef, _ stream: HTTPStreamRef) {
    guard let host = branch.pointee.upstream.host else { return }
    let old = stream.pointee.upstream.host
    // The use of it moves too.
    stream.pointee.upstream.host = host
    branch.pointee.upstream.host = nil
    stream.pointee.info.upstreamHost = branch.pointee.info.upstreamHost
    stream.pointee.info.upstreamHostName = branch.pointee.info.upstreamHostName
    if let old {
      old.pointee.users -= 1
      freeHostIfUnused(old)
    }
  }
}
