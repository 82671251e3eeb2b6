/// A run as it is written to JSON. Property names are keys, in snake case; `docs/load-generator.md` says what each
/// means. A key is never renamed or given another meaning without another ``currentFormat``.
struct RunDocument: Codable {
  static let currentFormat = "apus-load/1"

  struct Mode: Codable {
    /// "closed" or "open".
    var kind: String
    var arrivals: String?
    var firstRate: Double?
    var lastRate: Double?
  }

  struct Totals: Codable {
    var requestsSent: UInt64
    var requestsUnsent: UInt64
    var responses: UInt64
    var successes: UInt64
    var bytesRead: UInt64
    var bytesWritten: UInt64
    var connectionsOpened: UInt64
    var waitedForConnection: UInt64
  }

  struct Latency: Codable {
    var count: UInt64
    var minNs: UInt64
    var maxNs: UInt64
    var meanNs: Double?
    var stdevNs: Double?
    /// "99.9" to nanoseconds.
    var percentilesNs: [String: UInt64]?
    /// Pairs of shortest duration and count.
    var buckets: [[UInt64]]
  }

  struct TLS: Codable {
    var handshakes: UInt64
    var resumed: UInt64
    /// "TLSv1.3 TLS_AES_256_GCM_SHA384" to its count.
    var agreed: [String: UInt64]
    var handshakeTime: Latency
  }

  struct CPU: Codable {
    var totalNs: UInt64
    var busiestThreadNs: UInt64
  }

  struct Interval: Codable {
    var startNs: UInt64
    var durationNs: UInt64
    var requests: UInt64
    var errors: UInt64
    var p50Ns: UInt64
    var p90Ns: UInt64
    var p99Ns: UInt64
    var p999Ns: UInt64
    var maxNs: UInt64
    var intendedRate: Double?
    var achievedRate: Double?
  }

  struct Step: Codable {
    var startNs: UInt64
    var durationNs: UInt64
    var requests: UInt64
    var errors: UInt64
    var p50Ns: UInt64
    var p90Ns: UInt64
    var p99Ns: UInt64
    var p999Ns: UInt64
    var maxNs: UInt64
    var intendedRate: Double
    var achievedRate: Double?
    var sustained: Bool
    /// Why it was not sustained.
    var failure: String?
  }

  struct Warning: Codable {
    var code: String
    var text: String
  }

  var format: String
  var label: String
  var target: String
  var command: String
  var mode: Mode
  var connections: Int
  var threads: Int
  var `protocol`: String?
  var pipelining: Int
  var streams: Int?
  var startUnixS: UInt64
  var durationNs: UInt64
  var warmUpNs: UInt64
  /// Derived: answers per second over the whole run.
  var achievedRate: Double?
  var totals: Totals
  var statuses: [String: UInt64]
  var grpcStatuses: [String: UInt64]?
  var errors: [String: UInt64]
  var latency: Latency
  var serviceTime: Latency?
  var scheduleError: Latency?
  var tls: TLS?
  var cpu: CPU
  var intervals: [Interval]
  var steps: [Step]
  /// Derived: intended rate of the knee.
  var kneeRate: Double?
  /// Derived.
  var warnings: [Warning]?
}
