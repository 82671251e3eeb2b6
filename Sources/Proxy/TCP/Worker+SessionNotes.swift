import HTTPCore
import Primitives

/// `%APUS_FAILURE%` of TCP sessions. Only failures come here, and only where a format asks.
extension Worker {
  /// Runs `body` with memory that lives as long as the session.
  func withArena<R>(_ session: TCPSessionRef, _ body: (inout Arena) -> R) -> R {
    var arena = session.pointee.arena ?? Arena(pool: arenas)
    defer { session.pointee.arena = arena }
    return body(&arena)
  }

  private func note(_ session: TCPSessionRef, _ write: (inout FailureText) -> Void) {
    guard session.pointee.config.pointee.explainsFailures else { return }
    var text = FailureText(withArena(session) { $0.allocate(FailureText.bytesMax) })
    write(&text)
    let (number, most) = (session.pointee.connectAttempts, session.pointee.config.pointee.maxConnectAttempts)
    if most > 1, number > 0 { FailureSentences.attempts(&text, UInt64(number), of: UInt64(most)) }
    session.pointee.info.failure = text.view
  }

  func noteNoHost(_ session: TCPSessionRef, _ cluster: ClusterRef) {
    note(session) {
      FailureSentences.noHost(&$0, cluster: session.pointee.info.upstreamCluster, FailureSentences.Absence(cluster), now: now)
    }
  }

  func noteOverflow(_ session: TCPSessionRef, _ config: UnsafeMutablePointer<ClusterConfig>, _ refusal: Refusal) {
    guard let name = Self.limitName(refusal, config.pointee.normalLimits, isHigh: false) else { return }
    note(session) { FailureSentences.overflow(&$0, cluster: session.pointee.info.upstreamCluster, name) }
  }

  func noteHostFailed(_ session: TCPSessionRef) {
    guard let place = place(session) else { return }
    note(session) { FailureSentences.hostFailed(&$0, place) }
  }

  private func place(_ session: TCPSessionRef) -> FailureSentences.Place? {
    session.pointee.host.map {
      FailureSentences.Place(
        host: $0.pointee.pointer.pointee.text.view, cluster: session.pointee.info.upstreamCluster,
        socket: $0.pointee.socketMatch)
    }
  }

  func noteNotConnected(_ session: TCPSessionRef, _ failure: TransportFailure) {
    guard let host = session.pointee.host, let place = place(session) else { return }
    note(session) {
      FailureSentences.notConnected(&$0, place, failure, timeout: host.pointee.settings.pointee.connectTimeoutNanoseconds)
    }
  }
}
