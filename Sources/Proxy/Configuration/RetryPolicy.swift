import HTTPCore
import Routing

/// When a route's request is sent once more, and how often (`RetryPolicy`, envoy/config/route/v3/route_components.proto).
public struct RetryPolicy: Sendable {
  /// A response header that says when to come back.
  public struct ResetHeader: Sendable {
    public enum Format: Sendable { case seconds, unixTimestamp }

    /// In lower case.
    let name: FrozenText
    let known: KnownHeader
    let format: Format

    public init(name: String, format: Format) {
      self.name = FrozenText(name.lowercased())
      known = KnownHeaderTable.shared.find(self.name.view)
      self.format = format
    }
  }

  public var conditions: RetryConditions = []
  /// Repeats after the first attempt.
  public var repeatsMax: UInt32 = 1
  /// From a connection and a whole request to the response's head; 0 = none.
  public var perTryTimeoutNanoseconds: UInt64 = 0
  /// Between two bytes of an attempt; 0 = none.
  public var perTryIdleTimeoutNanoseconds: UInt64 = 0
  /// Nil: that of the cluster.
  public var backoff: RetryBackoff?
  public var resetHeaders = FrozenList<ResetHeader>([])
  /// A longer wait is not taken from a reset header.
  public var resetMaxNanoseconds: UInt64 = 300_000_000_000
  /// `retry_host_predicate`: how many picks are thrown away for a host that all of them are content with.
  public var refusalsMax: UInt32 = 1
  /// Those that have been tried are refused.
  public var avoidsTriedHosts = false
  /// And those whose metadata says `canary: true`.
  public var avoidsCanaries = false
  /// And those whose metadata has all of one of these.
  public var avoidedLabels = FrozenList<FrozenList<UInt64>>([])

  /// `previous_priorities`: after so many attempts the priority levels that were tried are left out; 0 = never.
  public var levelsFrequency: UInt32 = 0

  @inline(__always)
  var avoidsHosts: Bool { avoidsTriedHosts || avoidsCanaries || !avoidedLabels.buffer.isEmpty }
  public var statusCodes = FrozenList<UInt16>([])
  let responseHeaders: FrozenList<Unmanaged<HeaderConditions>>
  let requestHeaders: FrozenList<Unmanaged<HeaderConditions>>
  private let owners: [HeaderConditions]

  /// - Parameters:
  ///   - responseHeaders: Of responses that are repeated; one is enough.
  ///   - requestHeaders: Of requests that may be repeated; one is enough, none means all.
  public init(responseHeaders: [HeaderConditions] = [], requestHeaders: [HeaderConditions] = []) {
    owners = responseHeaders + requestHeaders
    self.responseHeaders = FrozenList(responseHeaders.map { Unmanaged.passUnretained($0) })
    self.requestHeaders = FrozenList(requestHeaders.map { Unmanaged.passUnretained($0) })
  }

  /// Whether a request is one of `retriable_request_headers`.
  @inline(__always)
  public func mayRepeat(_ request: UnsafePointer<HeaderMap>) -> Bool {
    let matchers = requestHeaders.buffer
    if matchers.isEmpty { return true }
    for matcher in matchers where matcher._withUnsafeGuaranteedRef({ $0.match(request) }) { return true }
    return false
  }
}
