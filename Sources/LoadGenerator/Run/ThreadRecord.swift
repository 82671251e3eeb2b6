import LoadReport
import Synchronization

/// What one thread counted during one slice of a run. The thread writes it, then hands it over.
final class ThreadRecord: @unchecked Sendable {
  // Sendable: written by the thread while `isHandedOver` is false, by main while it is true.
  var tally = Tally()
  var latency = LatencyHistogram()
  var serviceTime = LatencyHistogram()
  var scheduleError = LatencyHistogram()
  var handshakeTime = LatencyHistogram()
  /// The slice, counted from the start of the measured part.
  var interval = 0
  let isHandedOver = Atomic(false)

  func reset() {
    tally = Tally()
    latency.reset()
    serviceTime.reset()
    scheduleError.reset()
    handshakeTime.reset()
  }
}

/// The records of one thread, used in turn, so that counting never waits for main and main never
/// for a thread.
final class RecordExchange: Sendable {
  static let recordCount = 4
  let records = (0..<recordCount).map { _ in ThreadRecord() }

  /// The record after `index`, or nil while main still has it.
  func free(after index: Int) -> Int? {
    let next = (index + 1) % Self.recordCount
    return records[next].isHandedOver.load(ordering: .acquiring) ? nil : next
  }
}
