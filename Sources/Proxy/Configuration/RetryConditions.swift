import Primitives

/// Answers and failures after which a request may be sent once more (`retry_on`, `x-envoy-retry-on`,
/// `x-envoy-retry-grpc-on`).
public struct RetryConditions: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let serverErrors = RetryConditions(rawValue: 1 << 0)
  public static let gatewayErrors = RetryConditions(rawValue: 1 << 1)
  public static let connectFailures = RetryConditions(rawValue: 1 << 2)
  public static let resets = RetryConditions(rawValue: 1 << 3)
  public static let resetsBeforeRequest = RetryConditions(rawValue: 1 << 4)
  public static let refusedStreams = RetryConditions(rawValue: 1 << 5)
  public static let conflicts = RetryConditions(rawValue: 1 << 6)
  public static let statusCodes = RetryConditions(rawValue: 1 << 7)
  public static let headers = RetryConditions(rawValue: 1 << 8)
  public static let rateLimited = RetryConditions(rawValue: 1 << 9)
  /// Of QUIC, which is not spoken here: no effect.
  public static let http3PostConnectFailures = RetryConditions(rawValue: 1 << 10)
  public static let cancelled = RetryConditions(rawValue: 1 << 16)
  public static let deadlineExceeded = RetryConditions(rawValue: 1 << 17)
  public static let resourceExhausted = RetryConditions(rawValue: 1 << 18)
  public static let unavailable = RetryConditions(rawValue: 1 << 19)
  public static let grpcInternal = RetryConditions(rawValue: 1 << 20)

  static let grpc: RetryConditions = [.cancelled, .deadlineExceeded, .resourceExhausted, .unavailable, .grpcInternal]

  /// By name, as they are written.
  public static let names: [(name: StaticString, condition: RetryConditions)] = [
    ("5xx", .serverErrors), ("gateway-error", .gatewayErrors), ("connect-failure", .connectFailures),
    ("reset", .resets), ("reset-before-request", .resetsBeforeRequest), ("refused-stream", .refusedStreams),
    ("retriable-4xx", .conflicts), ("retriable-status-codes", .statusCodes), ("retriable-headers", .headers),
    ("envoy-ratelimited", .rateLimited), ("http3-post-connect-failure", .http3PostConnectFailures),
    ("cancelled", .cancelled), ("deadline-exceeded", .deadlineExceeded),
    ("resource-exhausted", .resourceExhausted), ("unavailable", .unavailable), ("internal", .grpcInternal),
  ]

  /// A list with commas; what has no meaning is left out.
  public init(list: ByteView) {
    var all: RetryConditions = []
    list.forEachListElement { element in
      for (name, condition) in Self.names where element == name { all.insert(condition) }
      return true
    }
    self = all
  }
}
