import Glibc
import Stats

/// Statsd and DogStatsD over UDP. What the network or the server loses is lost, as everywhere in the field;
/// what the kernel refuses is counted as `statsd.lines_dropped`.
public final class StatsdUDPSink: StatsSink, @unchecked Sendable {
  /// How long a flush may wait for room in the socket's buffer.
  private static let flushBudgetMilliseconds: Int64 = 500

  private let address: SinkAddress
  private let builder: StatsdLineBuilder
  private let counters: SinkCounters
  private let datagramBytesMax: Int
  private var socket: SinkSocket?

  /// - Parameter datagramBytesMax: See ``DatagramPacker``; 0 for one metric a datagram.
  public init(
    to address: SinkAddress, format: StatsdFormat = StatsdFormat(),
    datagramBytesMax: Int = DatagramPacker.defaultBytesMax, registry: StatsRegistry
  ) {
    self.address = address
    self.datagramBytesMax = datagramBytesMax
    builder = StatsdLineBuilder(format: format)
    counters = SinkCounters(registry: registry)
  }

  public func send(_ flush: StatsFlush, isLast: Bool) {
    let deadline = MonotonicClock.nowMilliseconds() + Self.flushBudgetMilliseconds
    var packer = DatagramPacker(bytesMax: datagramBytesMax)
    builder.build(flush) { line in
      let fits = packer.add(line) { send(datagram: $0, deadline: deadline) }
      if !fits { counters.count(counters.linesDropped) }
    }
    packer.flush { send(datagram: $0, deadline: deadline) }
  }

  private func send(datagram: [UInt8], deadline: Int64) {
    if socket == nil { socket = SinkSocket(.datagram, to: address, timeoutMilliseconds: 0) }
    // An error may belong to an earlier datagram (a refusal reported by ICMP): try this one again.
    for _ in 0..<3 {
      let sent = datagram.withUnsafeBytes { socket?.send($0) ?? -Int(ENOTCONN) }
      if sent >= 0 { return counters.count(counters.datagramsSent) }
      let wait = MonotonicClock.remainingMilliseconds(until: deadline)
      if sent == -Int(EAGAIN) {
        guard socket?.waitUntilWritable(wait) == true else { break }
        continue
      }
      counters.count(counters.errors)
      guard sent == -Int(ECONNREFUSED) else {
        socket = nil
        break
      }
    }
    counters.count(counters.linesDropped, datagram.count { $0 == UInt8(ascii: "\n") } + 1)
  }
}
