import Primitives
import Proxy
import Reactor
import Stats

/// What must hold while the worker runs, and in the end.
extension World {
  private static let sealedBytesMax = 128 * 1024 + 20_000

  /// Between two turns.
  func checkTurn() {
    drainLog()
    // A connection may pass its limit by what was under way when reading stopped: what the network
    // holds for it, a window of a stream (in small chunks), and a buffer or two.
    let slack =
      2 * Self.pipeCapacities.upperBound + 2 * sizes.largeBytes + 65_536
      + (settings.streamWindow > 65_535 ? 2 * settings.streamWindow : 0)
    worker.forEachLoad { load in
      let most = max(load.outputBytes, load.inputBytes)
      if most > load.limitBytes + slack {
        report("descriptor \(load.fd) holds \(most) bytes, and its limit is \(load.limitBytes)")
      }
      // Sealed are a send's worth and one record more, and what peers' messages are answered with.
      if load.sealedBytes > Self.sealedBytesMax {
        report("descriptor \(load.fd) holds \(load.sealedBytes) bytes of records to send")
      }
    }
  }

  /// Access log records are whole, and name only what there is.
  private func drainLog() {
    logRing.drain { _, first, second in
      logLineCount += 1
      let line = first.string + second.string
      trace.record(line)
      checkLog(line)
    }
    if logRing.droppedCount > 0 { report("log lines were dropped") }
  }

  private func checkLog(_ line: String) {
    guard line.hasSuffix("\n") else { return report("a log line without end: \(line)") }
    let fields = line.dropLast().split(separator: " ", omittingEmptySubsequences: false)
    if fields.first == "listener" { return checkListenerLog(fields, line) }
    let isHTTP = fields.first == "http"
    network.coverage.note(isHTTP ? .httpLogLine : .tcpLogLine)
    guard fields.count == (isHTTP ? 9 : 7) else { return report("log line: \(line)") }
    if isHTTP, fields[8].hasPrefix("upstream_no_extended_connect") { network.coverage.note(.tunnelNotAllowedByHost) }
    if isHTTP, fields[3].contains("UT") { latestTimeout = events.now }
    if isHTTP, isCalm, fields[3].contains("SI") { report("a stream went idle: \(line)") }
    let cluster = fields[isHTTP ? 4 : 2]
    let host = fields[isHTTP ? 5 : 3]
    if !["-", "a", "b", "t", "p", "q"].contains(cluster) { report("cluster in the log: \(line)") }
    if host != "-", !host.hasPrefix("10.1.") { report("host in the log: \(line)") }
  }

  /// One line for each connection to the listener with TLS.
  private func checkListenerLog(_ fields: [Substring], _ line: String) {
    network.coverage.note(.tlsLogLine)
    guard fields.count >= 5 else { return report("log line: \(line)") }
    if !["-", "TLSv1.2", "TLSv1.3"].contains(fields[1]) { report("TLS version in the log: \(line)") }
    let names = ["-", TLSSettings.edge, TLSSettings.mutual, TLSSettings.tcp, TLSSettings.passed]
    if !names.contains(where: { $0 == fields[2] }) { report("server name in the log: \(line)") }
    if fields[3] != "-", fields[3] != "spiffe://sim/client" { report("client in the log: \(line)") }
    let reason = fields[4...].joined(separator: " ")
    if reason != "-", !reason.hasPrefix("TLS_error:"), !reason.hasPrefix("handshake_timed_out_after_") {
      report("reason in the log: \(line)")
    }
  }

  /// When the worker has ended.
  func checkEnd() {
    drainLog()
    let left = worker.audit
    if left.connections > 0 { report("\(left.connections) connections are left") }
    if left.streams > 0 { report("\(left.streams) streams are left") }
    if left.internalRequests > 0 { report("\(left.internalRequests) internal requests are left") }
    if left.tcpSessions > 0 { report("\(left.tcpSessions) TCP sessions are left") }
    if left.connectionRecords > 0 { report("\(left.connectionRecords) connection records are left") }
    if left.failureTexts > 0 { report("\(left.failureTexts) failure texts are left") }
    if left.filterTimers > 0 { report("\(left.filterTimers) filter timers are left") }
    if left.timers > 0 { report("\(left.timers) timers are left") }
    if left.segments > 0 { report("\(left.segments) segments are lent") }
    if left.receiveBuffers > 0 { report("\(left.receiveBuffers) receive buffers are lent") }
    if left.arenaChunks > 0 { report("\(left.arenaChunks) arena chunks are lent") }
    if left.oldGenerations > 0 { report("\(left.oldGenerations) old generations are left") }
    if left.http2Connections > 0 { report("\(left.http2Connections) HTTP/2 connections are left") }
    if left.http2Sessions > 0 { report("\(left.http2Sessions) HTTP/2 sessions are left") }
    if left.http2Streams > 0 { report("\(left.http2Streams) HTTP/2 streams are left") }
    if left.tlsConnections > 0 { report("\(left.tlsConnections) TLS connections are left") }
    if left.tlsHandshakes > 0 { report("\(left.tlsHandshakes) handshakes are under way") }
    if left.tlsHandshakeObjects > 0 { report("\(left.tlsHandshakeObjects) handshakes are not freed") }
    if left.tlsTexts > 0 { report("\(left.tlsTexts) TLS texts are left") }
    if left.miscountedHosts > 0 { report("\(left.miscountedHosts) hosts were freed with requests of theirs") }
    if left.lentPipes > 0 { report("\(left.lentPipes) pipes are lent") }
    let pipes = kernel.openPipes
    if pipes.count != left.idlePipes {
      report("\(pipes.count) pipes are open, and the worker knows of \(left.idlePipes)")
    }
    if pipes.contains(where: { !$0.bytes.isEmpty }) { report("a pipe that nobody uses holds bytes") }
    if !kernel.openSockets.isEmpty { report("descriptors are open: \(kernel.openSockets)") }
    for units in main.unitsLeft { report(units) }
    checkNumbers()
  }

  /// Main lets go: nobody else may hold a snapshot. By reference, since other runs of the process
  /// have snapshots too.
  func checkSnapshots() {
    let held = main.end()
    if held > 0 { report("\(held) snapshots are still held") }
  }

  private func checkNumbers() {
    var values: [String: Int64] = [:]
    for metric in registry.metrics {
      let value = registry.signedValue(of: metric)
      if metric.kind != .histogram {
        values[metric.name] = value
        network.coverage.note(metric: metric.name, Int(value))
      }
      trace.record("\(metric.name) \(value) \(registry.histogramCount(of: metric))")
      if metric.kind == .gauge, value != 0, !Self.isStanding(metric.name) {
        report("gauge \(metric.name) is \(value)")
      }
    }
    func check(_ text: String, _ left: Int64?, _ right: Int64?) {
      if let left, let right, left != right { report("\(text): \(left) and \(right)") }
    }
    for prefix in ["http.main.", "http.behind.", "http.secure.", "http.mutual."] {
      check(
        "\(prefix) connections begun and ended", values[prefix + "downstream_cx_total"],
        values[prefix + "downstream_cx_destroy"])
    }
    for name in ["a", "b", "t", "p", "q", "m"] {
      check(
        "cluster \(name): connections begun and ended", values["cluster.\(name).upstream_cx_total"],
        values["cluster.\(name).upstream_cx_destroy"])
    }
  }

  /// Gauges that say how the proxy is configured.
  private static func isStanding(_ name: String) -> Bool {
    name.hasPrefix("cluster_manager.") || name.hasPrefix("listener_manager.")
      || name.contains(".membership_") || name.hasSuffix(".max_host_weight")
      || name.contains(".ring_hash_lb.") || name.contains(".maglev_lb.")
      || name.hasSuffix(".expiration_unix_time_seconds")
  }
}
