import Primitives

/// Why a response is what it is, as access logs show it (Envoy's two-letter names).
@frozen
public struct ResponseFlags: OptionSet, Sendable, Hashable {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let failedLocalHealthCheck = ResponseFlags(rawValue: 1 << 0)
  public static let noHealthyUpstream = ResponseFlags(rawValue: 1 << 1)
  public static let upstreamRequestTimeout = ResponseFlags(rawValue: 1 << 2)
  public static let localReset = ResponseFlags(rawValue: 1 << 3)
  public static let upstreamRemoteReset = ResponseFlags(rawValue: 1 << 4)
  public static let upstreamConnectionFailure = ResponseFlags(rawValue: 1 << 5)
  public static let upstreamConnectionTermination = ResponseFlags(rawValue: 1 << 6)
  public static let upstreamOverflow = ResponseFlags(rawValue: 1 << 7)
  public static let noRouteFound = ResponseFlags(rawValue: 1 << 8)
  public static let delayInjected = ResponseFlags(rawValue: 1 << 9)
  public static let faultInjected = ResponseFlags(rawValue: 1 << 10)
  public static let rateLimited = ResponseFlags(rawValue: 1 << 11)
  public static let unauthorizedExternalService = ResponseFlags(rawValue: 1 << 12)
  public static let rateLimitServiceError = ResponseFlags(rawValue: 1 << 13)
  public static let downstreamConnectionTermination = ResponseFlags(rawValue: 1 << 14)
  public static let upstreamRetryLimitExceeded = ResponseFlags(rawValue: 1 << 15)
  public static let streamIdleTimeout = ResponseFlags(rawValue: 1 << 16)
  public static let invalidEnvoyRequestHeaders = ResponseFlags(rawValue: 1 << 17)
  public static let downstreamProtocolError = ResponseFlags(rawValue: 1 << 18)
  public static let upstreamMaxStreamDurationReached = ResponseFlags(rawValue: 1 << 19)
  public static let responseFromCacheFilter = ResponseFlags(rawValue: 1 << 20)
  public static let noFilterConfigFound = ResponseFlags(rawValue: 1 << 21)
  public static let durationTimeout = ResponseFlags(rawValue: 1 << 22)
  public static let upstreamProtocolError = ResponseFlags(rawValue: 1 << 23)
  public static let noClusterFound = ResponseFlags(rawValue: 1 << 24)
  public static let overloadManagerTerminated = ResponseFlags(rawValue: 1 << 25)
  public static let dnsResolutionFailed = ResponseFlags(rawValue: 1 << 26)
  public static let dropOverload = ResponseFlags(rawValue: 1 << 27)
  public static let downstreamRemoteReset = ResponseFlags(rawValue: 1 << 28)
  public static let unconditionalDropOverload = ResponseFlags(rawValue: 1 << 29)

  /// Short and long name of each flag, in bit order.
  public static let names: [(short: StaticString, long: StaticString)] = [
    ("LH", "FailedLocalHealthCheck"), ("UH", "NoHealthyUpstream"), ("UT", "UpstreamRequestTimeout"),
    ("LR", "LocalReset"), ("UR", "UpstreamRemoteReset"), ("UF", "UpstreamConnectionFailure"),
    ("UC", "UpstreamConnectionTermination"), ("UO", "UpstreamOverflow"), ("NR", "NoRouteFound"),
    ("DI", "DelayInjected"), ("FI", "FaultInjected"), ("RL", "RateLimited"),
    ("UAEX", "UnauthorizedExternalService"), ("RLSE", "RateLimitServiceError"),
    ("DC", "DownstreamConnectionTermination"), ("URX", "UpstreamRetryLimitExceeded"),
    ("SI", "StreamIdleTimeout"), ("IH", "InvalidEnvoyRequestHeaders"),
    ("DPE", "DownstreamProtocolError"), ("UMSDR", "UpstreamMaxStreamDurationReached"),
    ("RFCF", "ResponseFromCacheFilter"), ("NFCF", "NoFilterConfigFound"),
    ("DT", "DurationTimeout"), ("UPE", "UpstreamProtocolError"), ("NC", "NoClusterFound"),
    ("OM", "OverloadManagerTerminated"), ("DF", "DnsResolutionFailed"), ("DO", "DropOverload"),
    ("DR", "DownstreamRemoteReset"), ("UDO", "UnconditionalDropOverload"),
  ]
}
