import Glibc
import Stats

/// Statsd over TCP: newline terminated lines over one connection.
///
/// While the server is away lines are held, up to a bound; what comes then is dropped and counted as
/// `statsd.lines_dropped`. After the connection was lost the line that was half written is sent again, whole.
/// What the kernel had taken before the loss may not have arrived: TCP does not tell.
public final class StatsdTCPSink: StatsSink, @unchecked Sendable {
  /// How long one flush may wait for the peer, connecting included.
  private static let flushBudgetMilliseconds: Int64 = 1000
  private static let backoffFirstMilliseconds: Int64 = 1000
  private static let backoffMaxMilliseconds: Int64 = 30_000

  private let address: SinkAddress
  private let builder: StatsdLineBuilder
  private let counters: SinkCounters
  private var held: HeldLines
  private var socket: SinkSocket?
  private var backoffMilliseconds = backoffFirstMilliseconds
  private var nextAttempt: Int64 = 0

  /// - Parameter heldBytesMax: Bytes that wait while the server is away.
  public init(
    to address: SinkAddress, format: StatsdFormat = StatsdFormat(),
    heldBytesMax: Int = 16 << 20, registry: StatsRegistry
  ) {
    self.address = address
    builder = StatsdLineBuilder(format: format)
    counters = SinkCounters(registry: registry)
    held = HeldLines(bytesMax: heldBytesMax)
  }

  public func send(_ flush: StatsFlush, isLast: Bool) {
    let deadline = MonotonicClock.nowMilliseconds() + Self.flushBudgetMilliseconds
    // Room first: what could not be sent before may go now.
    write(until: deadline, ignoringBackoff: isLast)
    builder.build(flush) { line in
      if !held.add(line) { counters.count(counters.linesDropped) }
    }
    write(until: deadline, ignoringBackoff: isLast)
  }

  private func write(until deadline: Int64, ignoringBackoff: Bool) {
    guard !held.isEmpty else { return }
    if socket?.isOpen() == false { disconnect() }
    guard socket != nil || connect(until: deadline, ignoringBackoff: ignoringBackoff) else { return }
    while !held.isEmpty {
      var result = 0
      held.write { bytes in
        result = socket?.send(bytes) ?? -Int(ENOTCONN)
        return result
      }
      if result >= 0 { continue }
      guard result == -Int(EAGAIN) else {
        counters.count(counters.errors)
        return disconnect()
      }
      let wait = MonotonicClock.remainingMilliseconds(until: deadline)
      guard wait > 0, socket?.waitUntilWritable(wait) == true else { return }
    }
  }

  private func connect(until deadline: Int64, ignoringBackoff: Bool) -> Bool {
    let now = MonotonicClock.nowMilliseconds()
    guard ignoringBackoff || now >= nextAttempt else { return false }
    socket = SinkSocket(
      .stream, to: address,
      timeoutMilliseconds: MonotonicClock.remainingMilliseconds(until: deadline))
    guard socket != nil else {
      counters.count(counters.errors)
      nextAttempt = now + backoffMilliseconds
      backoffMilliseconds = min(backoffMilliseconds * 2, Self.backoffMaxMilliseconds)
      return false
    }
    counters.count(counters.connections)
    backoffMilliseconds = Self.backoffFirstMilliseconds
    return true
  }

  private func disconnect() {
    socket = nil
    held.rewind()
  }
}
