import ConfigCompiler
import Primitives
import Stats
import StatsSinks

extension ConfigCompiler.LogTarget {
  /// The same for the log writer.
  var destination: LogDestination {
    switch self {
    case .file(let path): .file(path: path)
    case .privateFile(let path): .privateFile(path: path)
    case .standardOutput: .standardOutput
    case .standardError: .standardError
    }
  }
}

extension SinkSettings {
  /// Opens nothing yet: sinks connect when they first have something to say.
  func makeSink(registry: StatsRegistry, timersMax: Int?) throws(StartError) -> any StatsSink {
    let format = StatsdFormat(
      prefix: prefix, dialect: dialect == .dogStatsd ? .dogStatsd : .statsd,
      histograms: timersMax.map { .timers(linesMax: $0) } ?? .aggregated)
    switch destination {
    case .udp(let address):
      let bytesMax = datagramBytesMax ?? DatagramPacker.defaultBytesMax
      return StatsdUDPSink(
        to: try sinkAddress(address), format: format, datagramBytesMax: bytesMax,
        registry: registry)
    case .tcp(let cluster, let addresses):
      guard let first = addresses.first else {
        throw StartError("stats_sinks: cluster \"\(cluster)\" has no endpoint to send to")
      }
      return StatsdTCPSink(to: try sinkAddress(first), format: format, registry: registry)
    }
  }

  private func sinkAddress(_ address: SocketAddress) throws(StartError) -> SinkAddress {
    guard case .ip(let ip, let port) = address,
      let sink = SinkAddress(host: ip.description, port: port)
    else { throw StartError("stats_sinks: \(address) is not an IP address with a port") }
    return sink
  }
}

extension Compilation.Changes {
  /// One line for a person: what was added, changed and removed.
  var summary: String {
    if isEmpty { return "nothing changed" }
    func part(_ what: String, _ names: [String]) -> String? {
      if names.isEmpty { return nil }
      let shown = names.prefix(5).joined(separator: ", ")
      return "\(what) \(shown)" + (names.count > 5 ? " and \(names.count - 5) more" : "")
    }
    return [
      part("listeners added:", listenersAdded), part("listeners changed:", listenersModified),
      part("routes changed in:", routesModified), part("listeners removed:", listenersRemoved),
      part("clusters added:", clustersAdded), part("clusters changed:", clustersModified),
      part("clusters removed:", clustersRemoved),
    ].compactMap { $0 }.joined(separator: "; ")
  }
}
