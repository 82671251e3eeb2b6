import Primitives
import Synchronization

/// The last answer of the upstream to a health check, which stands for all workers for a while.
///
/// One word, so that status and expiry are never torn.
final class HealthCheckCache: Sendable {
  struct Answer: Equatable {
    var status: UInt16
    var isDegraded: Bool
  }

  private let timeMilliseconds: UInt64
  /// From the top: 47 bits expiry in milliseconds of the monotonic clock, 1 bit degraded, 16 bits
  /// status. 0 = nothing cached.
  private let word = Atomic<UInt64>(0)
  private static let expiryMax: UInt64 = 1 << 47 - 1

  init(timeNanoseconds: UInt64) {
    timeMilliseconds = max(1, timeNanoseconds / 1_000_000)
  }

  /// - Parameter now: Nanoseconds of the monotonic clock, which all workers share.
  func answer(at now: UInt64) -> Answer? {
    let value = word.load(ordering: .relaxed)
    guard value != 0, now / 1_000_000 < value >> 17 else { return nil }
    return Answer(
      status: UInt16(truncatingIfNeeded: value), isDegraded: value >> 16 & 1 == 1)
  }

  func store(_ answer: Answer, at now: UInt64) {
    let expiry = min((now / 1_000_000).saturatingAdd(timeMilliseconds), Self.expiryMax)
    word.store(
      expiry << 17 | (answer.isDegraded ? 1 : 0) << 16 | UInt64(answer.status), ordering: .relaxed)
  }
}
