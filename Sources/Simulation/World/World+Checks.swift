import Primitives
import Proxy
import Reactor

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
  func drainLog() {
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

  /// When everybody has ended.
  func checkNumbers() {
    let values = proxy.checkNumbers()
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
}
