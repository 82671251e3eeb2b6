import HostHealth
import Primitives
import Proxy

/// One host under outlier detection, as main knows it.
final class OutlierHost {
  /// As workers call it (``WorkerMessage/hostEvent``).
  let number: UInt32
  private(set) var config: Frozen<HostConfig>
  var state = OutlierState()
  /// Since the sweep before: from responses, and from connections when they are told apart.
  private(set) var external = ResultCounts(results: 0, failures: 0)
  private(set) var local = ResultCounts(results: 0, failures: 0)
  /// In percent; nil with too few results, or when the host was ejected.
  var successRate: Double?
  var localSuccessRate: Double?
  /// Answers since the sweep before by the time they took; nil where that is not looked at.
  private(set) var latency: LatencyCounts?
  /// The quantile of these that is looked at; nil with too few answers, or when the host was ejected.
  var latencyMilliseconds: Double?
  /// What it did that it was ejected last.
  var ejectionReason = ""
  private var last = OutlierReading()

  /// - Parameter read: What all workers have counted of a host. What was counted before now is not judged.
  init(_ config: Frozen<HostConfig>, number: UInt32, read: (HostConfig) -> OutlierReading?) {
    self.config = config
    self.number = number
    take(read)
  }

  /// Valid as long as the configuration, which this holds.
  var shared: HostShared? { config.pointer.pointee.shared?.takeUnretainedValue() }

  var address: String { config.pointer.pointee.text.view.string }

  /// The same host with other fields.
  func replace(_ config: Frozen<HostConfig>) { self.config = config }

  /// Reads what workers have counted since the last time.
  func take(_ read: (HostConfig) -> OutlierReading?) {
    guard let now = read(config.pointer.pointee) else { return }
    external = ResultCounts(
      results: Self.since(last.results, now.results), failures: Self.since(last.failures, now.failures))
    local = ResultCounts(
      results: Self.since(last.localResults, now.localResults),
      failures: Self.since(last.localFailures, now.localFailures))
    latency = Self.since(last.latency, now.latency)
    last = now
  }

  /// - Returns: Nil when nobody has read them before, or nobody does now.
  private static func since(_ old: [UInt64]?, _ new: [UInt64]?) -> LatencyCounts? {
    guard let old, let new else { return nil }
    var counts = LatencyCounts()
    for (index, (before, now)) in zip(old, new).enumerated() { counts.add(since(before, now), at: index) }
    return counts
  }

  /// Counters may have been reset in between (`/reset_counters`).
  private static func since(_ old: UInt64, _ new: UInt64) -> UInt64 { new >= old ? new - old : new }
}

/// What all workers have counted of one host so far.
struct OutlierReading {
  var results: UInt64 = 0
  var failures: UInt64 = 0
  var localResults: UInt64 = 0
  var localFailures: UInt64 = 0
  /// Answers by the time they took; nil where that is not looked at.
  var latency: [UInt64]?
}
