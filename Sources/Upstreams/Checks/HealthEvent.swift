import ConfigCompiler
import HostHealth
import Primitives
import Proxy

/// Lines of a check's event log: the JSON of `envoy.data.core.v3.HealthCheckEvent`.
enum HealthEvent {
  /// - Parameter event: One of ``CheckEvents``.
  static func line(
    _ event: CheckEvents, _ session: CheckSession, _ result: CheckResult, isFirst: Bool, wallNow: Int64
  ) -> String {
    let config = session.host.config.pointer
    var line = EventLine()
    line.add("health_checker_type", "\(session.check.kind.word)")
    line.add("host", address(config.pointee.address))
    line.add("cluster_name", session.host.cluster.name)
    // In the order of the message's field numbers.
    let isBeforeTime = event == .ejectUnhealthy || event == .addHealthy
    if !isBeforeTime { line.add("timestamp", WallTime.text(nanoseconds: wallNow)) }
    // The status of a gRPC check is in its trailers.
    let status: UInt16 = if case .grpc = session.check.kind { 0 } else { result.status }
    var details = EventLine()
    switch event {
    case .ejectUnhealthy:
      details.add("failure_type", "\(failure(result).word)")
      details.add("http_status_code", status)
    case .failure:
      details.add("failure_type", "\(failure(result).word)")
      details.add("first_check", isFirst)
      details.add("http_status_code", status)
    case .addHealthy: details.add("first_check", isFirst)
    default: break
    }
    let word = CheckEvents.words[event.rawValue.trailingZeroBitCount]
    line.add(word, details)
    if isBeforeTime { line.add("timestamp", WallTime.text(nanoseconds: wallNow)) }
    var locality = EventLine()
    locality.add("region", config.pointee.locality.region)
    locality.add("zone", config.pointee.locality.zone)
    locality.add("sub_zone", config.pointee.locality.subZone)
    line.add("locality", locality)
    return line.line
  }

  private static func failure(_ result: CheckResult) -> CheckFailure {
    if case .failed(let failure, _, _) = result.outcome { return failure }
    return .active
  }

  private static func address(_ address: SocketAddress) -> EventLine {
    var whole = EventLine()
    switch address {
    case .ip(let ip, let port):
      var socket = EventLine()
      socket.add("protocol", "TCP")
      socket.add("address", ip.description)
      socket.add("port_value", port)
      socket.add("resolver_name", "")
      socket.add("ipv4_compat", false)
      socket.add("network_namespace_filepath", "")
      whole.add("socket_address", socket)
    case .pipe:
      var pipe = EventLine()
      pipe.add("path", address.description)
      pipe.add("mode", 0)
      whole.add("pipe", pipe)
    }
    return whole
  }
}
