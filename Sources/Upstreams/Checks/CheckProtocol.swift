import ConfigCompiler
import Proxy

/// How one host is asked by one check, again and again. What it asks with (a connection, a request) is its own.
///
/// Every `start` is followed by one result, in a later turn of the loop, or by a `cancel`.
protocol CheckProtocol: AnyObject {
  /// Asks.
  ///
  /// - Returns: What came of it, when that is known at once.
  func start(_ worker: Worker, _ target: CheckTarget) -> CheckResult?
  /// Nobody waits for a result any more: it has taken too long, or the host is gone.
  func cancel(_ worker: Worker)
  /// Lets go of connections that are kept between checks.
  func close(_ worker: Worker)
}

/// Where results go.
typealias CheckDone = (CheckResult) -> Void

enum CheckProtocols {
  static func make(_ check: ActiveCheck, done: @escaping CheckDone) -> any CheckProtocol {
    switch check.kind {
    case .http(let http): HTTPCheck(check, http, done: done)
    case .grpc(let grpc): GRPCCheck(check, grpc, done: done)
    case .tcp(let tcp):
      ProbeCheck(TCPDialogue(tcp), keepsConnection: check.reusesConnections && !tcp.receive.isEmpty, done: done)
    case .redis(let redis): ProbeCheck(RedisDialogue(redis), keepsConnection: check.reusesConnections, done: done)
    }
  }
}
