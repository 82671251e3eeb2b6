import HostHealth
import Primitives

/// What came of one check of one host.
package struct CheckResult {
  package enum Outcome {
    case passed(isDegraded: Bool)
    /// - Parameters:
    ///   - isRetriable: Believed only when it repeats.
    ///   - excludes: The host says itself that it is to be left alone.
    case failed(CheckFailure, isRetriable: Bool, excludes: Bool)
  }

  package let outcome: Outcome
  /// For people: `503, expected 200`.
  package let text: String
  /// The response's, 0 without one.
  var status: UInt16 = 0

  /// The answer's service name was looked at.
  var verifiesCluster = false

  var hasPassed: Bool { if case .passed = outcome { true } else { false } }

  /// What the system, or TLS, says, behind a sentence: its words are one word in logs.
  static func reason(_ text: ByteView) -> String {
    text.isEmpty ? "" : ": " + String(text.string.map { $0 == "_" ? " " : $0 })
  }

  static func passed(_ text: String, isDegraded: Bool = false, status: UInt16 = 0) -> CheckResult {
    CheckResult(outcome: .passed(isDegraded: isDegraded), text: text, status: status)
  }

  static func failed(
    _ failure: CheckFailure, _ text: String, isRetriable: Bool = false, excludes: Bool = false, status: UInt16 = 0
  ) -> CheckResult {
    CheckResult(
      outcome: .failed(failure, isRetriable: isRetriable, excludes: excludes), text: text, status: status)
  }
}

/// A host as main's own clusters for checks have it.
struct CheckTarget {
  /// Slot of the cluster whose only use is this check.
  let cluster: UInt32
  let index: Int
  let identity: UInt64
  /// What the endpoint is called in checks; empty: as the check says.
  let hostname: String
  /// Of the cluster that is checked.
  let clusterName: String
}
