import Balancing
import Primitives
import Reactor

/// What it takes to send a request once more, in the stream's arena. Only a request that something may repeat has one,
/// and only until its response goes on to the client.
struct AttemptPlan {
  struct Flags: OptionSet {
    let rawValue: UInt16
    /// The body is kept for the next attempt.
    static let keepsBody = Flags(rawValue: 1 << 0)
    /// A unit of the cluster's `max_retries` is taken.
    static let holdsRetryUnit = Flags(rawValue: 1 << 1)
    /// The latest attempt ended by its timeout.
    static let afterTimeout = Flags(rawValue: 1 << 2)
    // Why there is no other attempt.
    static let isUsedUp = Flags(rawValue: 1 << 3)
    static let isOverBudget = Flags(rawValue: 1 << 4)
    /// A gRPC status in trailers counts like one in headers.
    static let judgesTrailers = Flags(rawValue: 1 << 5)
    /// A response's head is here and waits for what follows it.
    static let holdsHead = Flags(rawValue: 1 << 6)
    /// A redirect may be followed.
    static let mayRedirect = Flags(rawValue: 1 << 7)
    /// The request is turned to where a redirect leads, and begins again.
    static let isRedirected = Flags(rawValue: 1 << 8)
    /// Without its body.
    static let dropsBody = Flags(rawValue: 1 << 9)
    /// An attempt that is late goes on beside the next one.
    static let hedges = Flags(rawValue: 1 << 10)
    /// It is the plan of one further attempt, which another stream has asked for.
    static let isBranch = Flags(rawValue: 1 << 11)
    // Of the attempt that the stream carries, where attempts are hedged.
    /// Its timeout is over.
    static let isLate = Flags(rawValue: 1 << 12)
    /// It has led to another attempt, and leads to no more.
    static let hasSuccessor = Flags(rawValue: 1 << 13)
    /// The runtime key `upstream.use_retry` has decided; with ``isUsedUp`` and ``isOverBudget``.
    static let isTurnedDown = Flags(rawValue: 1 << 14)
    /// A policy is about the failure, and there is no other attempt.
    static let refused: Flags = [.isUsedUp, .isOverBudget, .isTurnedDown]
  }

  /// Nil when a caller's headers alone ask for repeats.
  let policy: UnsafePointer<RetryPolicy>?
  var conditions: RetryConditions
  /// Repeats that are left.
  var left: UInt32
  /// Repeats so far.
  var repeats: UInt32 = 0
  var flags: Flags = []
  /// The body as far as it has gone to a connection.
  var kept = SegmentQueue()
  /// Bytes of the body that may be kept.
  let keptMax: Int
  var perTryTimeout: UInt64
  var perTryIdleTimeout: UInt64
  // Nanoseconds of the worker's clock, 0 = none.
  var perTryDeadline: UInt64 = 0
  var backoffDeadline: UInt64 = 0
  /// What the attempt before this one met, for whoever asks why.
  var before = ByteView.empty
  /// Lists of a caller's headers; empty: none.
  var statusCodes = ByteView.empty
  var headerNames = ByteView.empty
  /// Identities of hosts that have failed; the first few are remembered.
  var tried: InlineArray<8, UInt64> = .init(repeating: 0)
  var triedCount = 0
  /// Where the policy wants other priority levels for repeats.
  var triedLevels = TriedLevels()
  /// The first of the attempts that race the stream's own.
  var branches = InternalStreamList()

  mutating func remember(_ host: UInt64) {
    guard triedCount < tried.count, !hasTried(host) else { return }
    tried[triedCount] = host
    triedCount += 1
  }

  /// Whether the policy would rather have another host for an attempt that repeats.
  func refuses(_ host: UnsafeMutablePointer<HostConfig>, _ policy: UnsafePointer<RetryPolicy>) -> Bool {
    if policy.pointee.avoidsTriedHosts, hasTried(host.pointee.identity) { return true }
    if policy.pointee.avoidsCanaries, host.pointee.labels.isCanary { return true }
    for labels in policy.pointee.avoidedLabels.buffer where host.pointee.labels.hasAll(labels) { return true }
    return false
  }

  func hasTried(_ host: UInt64) -> Bool {
    for i in 0..<triedCount where tried[i] == host { return true }
    return false
  }
}
