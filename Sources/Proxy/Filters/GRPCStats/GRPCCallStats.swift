import Primitives
import Stats
import Synchronization

/// Statistics of the calls to a cluster, or to one of its methods: `cluster.<c>.<protocol>.[<service>.<method>.]*`.
public final class GRPCCallStats: Sendable {
  let success, failure, total, requestMessages, responseMessages: Counter
  let upstreamTime: Histogram
  /// Of each status one counter, made when a call first ends with it; nil until then.
  private let statuses: FrozenList<Counter?>
  private let made = Atomic<UInt32>(0)
  private let scope: StatsScope
  private let prefix: String

  /// - Parameter prefix: All of the names before their last part, with a dot at the end.
  init(_ scope: StatsScope, prefix: String) {
    self.scope = scope
    self.prefix = prefix
    success = scope.counter(prefix + "success")
    failure = scope.counter(prefix + "failure")
    total = scope.counter(prefix + "total")
    requestMessages = scope.counter(prefix + "request_message_count")
    responseMessages = scope.counter(prefix + "response_message_count")
    upstreamTime = scope.histogram(prefix + "upstream_rq_time")
    statuses = FrozenList([Counter?](repeating: nil, count: Int(Self.statusCount)))
  }

  private static let statusCount: UInt32 = 17

  /// The counter of a status; nil for a status without a meaning. Asked for under the table's lock the first time only.
  func counter(ofStatus code: UInt32, _ lock: borrowing Mutex<Void>) -> Counter? {
    guard code < Self.statusCount else { return nil }
    if made.load(ordering: .acquiring) >> code & 1 == 0 {
      lock.withLock { _ in
        guard made.load(ordering: .relaxed) >> code & 1 == 0 else { return }
        statuses.buffer[Int(code)] = scope.counter(prefix + "\(code)")
        made.bitwiseOr(1 << code, ordering: .releasing)
      }
    }
    return statuses.buffer[Int(code)]
  }
}
