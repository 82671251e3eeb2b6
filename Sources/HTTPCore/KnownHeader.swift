import Primitives

/// Header names that the proxy itself looks at, as a byte: comparing two headers is comparing two
/// numbers. Pseudo-headers (RFC 9113 section 8.3) come first; HTTP/1's request line, status line and
/// Host are kept under them too, so that everything above a codec sees one form.
public enum KnownHeader: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  /// Any name that is not in this list.
  case other
  // pseudo
  case method, path, authority, scheme, status
  /// `:protocol` of extended CONNECT (RFC 8441 section 4).
  case connectProtocol
  // framing and hop-by-hop
  case contentLength, transferEncoding, connection, keepAlive, proxyConnection, upgrade, te, trailer
  case expect
  // general
  case date, server, via, host, userAgent, contentType, contentEncoding, acceptEncoding, accept
  case cookie, setCookie, location, origin, referer, authorization, cacheControl, vary, etag, age
  case retryAfter, range, accessControlRequestMethod, accessControlRequestHeaders
  case accessControlAllowOrigin, accessControlAllowCredentials, accessControlExposeHeaders
  case accessControlAllowMethods, accessControlAllowHeaders, accessControlMaxAge
  case accessControlRequestPrivateNetwork, accessControlAllowPrivateNetwork
  // forwarding and identity
  case xRequestID, xForwardedFor, xForwardedProto, xForwardedHost, xForwardedPort
  case xForwardedClientCert, xClientTraceID
  // gRPC
  case grpcStatus, grpcMessage, grpcTimeout, grpcEncoding, grpcAcceptEncoding
  // HTTP/2 and upgrades
  case http2Settings, priority, secWebSocketKey, secWebSocketAccept
  // Envoy's
  case envoyInternal, envoyExternalAddress, envoyOriginalPath, envoyOriginalHost
  case envoyUpstreamServiceTime, envoyUpstreamHealthcheckedCluster, envoyExpectedRqTimeoutMs
  case envoyUpstreamRqTimeoutMs, envoyUpstreamRqPerTryTimeoutMs, envoyUpstreamRqTimeoutAltResponse
  case envoyRetryOn, envoyRetryGrpcOn, envoyMaxRetries, envoyRetriableStatusCodes
  case envoyRetriableHeaderNames, envoyUpstreamAltStatName, envoyForceTrace, envoyIPTags
  case envoyOriginalURL, envoyHedgeOnPerTryTimeout, envoyDecoratorOperation
  case envoyDownstreamServiceCluster, envoyDownstreamServiceNode, envoyOverloaded
  case envoyRateLimited, envoyAttemptCount, envoyDegraded, envoyImmediateHealthCheckFail
  case envoyUpstreamCanary, envoyIsTimeoutRetry, envoyFaultDelayRequest
  case envoyFaultDelayRequestPercentage, envoyFaultAbortRequest, envoyFaultAbortRequestPercentage
  // Our own
  case apusFailure

  /// The last of the names that begin with a colon.
  @inlinable @inline(__always)
  public var isPseudo: Bool { rawValue >= 1 && rawValue <= KnownHeader.connectProtocol.rawValue }

  /// The name in lower case, as it goes on the wire. Inlined: for a constant header it is two numbers.
  @inlinable @inline(__always)
  public var name: StaticString {
    switch self {
    case .other: ""
    case .method: ":method"
    case .path: ":path"
    case .authority: ":authority"
    case .scheme: ":scheme"
    case .status: ":status"
    case .connectProtocol: ":protocol"
    case .contentLength: "content-length"
    case .transferEncoding: "transfer-encoding"
    case .connection: "connection"
    case .keepAlive: "keep-alive"
    case .proxyConnection: "proxy-connection"
    case .upgrade: "upgrade"
    case .te: "te"
    case .trailer: "trailer"
    case .expect: "expect"
    case .date: "date"
    case .server: "server"
    case .via: "via"
    case .host: "host"
    case .userAgent: "user-agent"
    case .contentType: "content-type"
    case .contentEncoding: "content-encoding"
    case .acceptEncoding: "accept-encoding"
    case .accept: "accept"
    case .cookie: "cookie"
    case .setCookie: "set-cookie"
    case .location: "location"
    case .origin: "origin"
    case .referer: "referer"
    case .authorization: "authorization"
    case .cacheControl: "cache-control"
    case .vary: "vary"
    case .etag: "etag"
    case .age: "age"
    case .retryAfter: "retry-after"
    case .range: "range"
    case .accessControlRequestMethod: "access-control-request-method"
    case .accessControlRequestHeaders: "access-control-request-headers"
    case .accessControlAllowOrigin: "access-control-allow-origin"
    case .accessControlAllowCredentials: "access-control-allow-credentials"
    case .accessControlExposeHeaders: "access-control-expose-headers"
    case .accessControlAllowMethods: "access-control-allow-methods"
    case .accessControlAllowHeaders: "access-control-allow-headers"
    case .accessControlMaxAge: "access-control-max-age"
    case .accessControlRequestPrivateNetwork: "access-control-request-private-network"
    case .accessControlAllowPrivateNetwork: "access-control-allow-private-network"
    case .xRequestID: "x-request-id"
    case .xForwardedFor: "x-forwarded-for"
    case .xForwardedProto: "x-forwarded-proto"
    case .xForwardedHost: "x-forwarded-host"
    case .xForwardedPort: "x-forwarded-port"
    case .xForwardedClientCert: "x-forwarded-client-cert"
    case .xClientTraceID: "x-client-trace-id"
    case .grpcStatus: "grpc-status"
    case .grpcMessage: "grpc-message"
    case .grpcTimeout: "grpc-timeout"
    case .grpcEncoding: "grpc-encoding"
    case .grpcAcceptEncoding: "grpc-accept-encoding"
    case .http2Settings: "http2-settings"
    case .priority: "priority"
    case .secWebSocketKey: "sec-websocket-key"
    case .secWebSocketAccept: "sec-websocket-accept"
    case .envoyInternal: "x-envoy-internal"
    case .envoyExternalAddress: "x-envoy-external-address"
    case .envoyOriginalPath: "x-envoy-original-path"
    case .envoyOriginalHost: "x-envoy-original-host"
    case .envoyUpstreamServiceTime: "x-envoy-upstream-service-time"
    case .envoyUpstreamHealthcheckedCluster: "x-envoy-upstream-healthchecked-cluster"
    case .envoyExpectedRqTimeoutMs: "x-envoy-expected-rq-timeout-ms"
    case .envoyUpstreamRqTimeoutMs: "x-envoy-upstream-rq-timeout-ms"
    case .envoyUpstreamRqPerTryTimeoutMs: "x-envoy-upstream-rq-per-try-timeout-ms"
    case .envoyUpstreamRqTimeoutAltResponse: "x-envoy-upstream-rq-timeout-alt-response"
    case .envoyRetryOn: "x-envoy-retry-on"
    case .envoyRetryGrpcOn: "x-envoy-retry-grpc-on"
    case .envoyMaxRetries: "x-envoy-max-retries"
    case .envoyRetriableStatusCodes: "x-envoy-retriable-status-codes"
    case .envoyRetriableHeaderNames: "x-envoy-retriable-header-names"
    case .envoyUpstreamAltStatName: "x-envoy-upstream-alt-stat-name"
    case .envoyForceTrace: "x-envoy-force-trace"
    case .envoyIPTags: "x-envoy-ip-tags"
    case .envoyOriginalURL: "x-envoy-original-url"
    case .envoyHedgeOnPerTryTimeout: "x-envoy-hedge-on-per-try-timeout"
    case .envoyDecoratorOperation: "x-envoy-decorator-operation"
    case .envoyDownstreamServiceCluster: "x-envoy-downstream-service-cluster"
    case .envoyDownstreamServiceNode: "x-envoy-downstream-service-node"
    case .envoyOverloaded: "x-envoy-overloaded"
    case .envoyRateLimited: "x-envoy-ratelimited"
    case .envoyAttemptCount: "x-envoy-attempt-count"
    case .envoyDegraded: "x-envoy-degraded"
    case .envoyImmediateHealthCheckFail: "x-envoy-immediate-health-check-fail"
    case .envoyUpstreamCanary: "x-envoy-upstream-canary"
    case .envoyIsTimeoutRetry: "x-envoy-is-timeout-retry"
    case .envoyFaultDelayRequest: "x-envoy-fault-delay-request"
    case .envoyFaultDelayRequestPercentage: "x-envoy-fault-delay-request-percentage"
    case .envoyFaultAbortRequest: "x-envoy-fault-abort-request"
    case .envoyFaultAbortRequestPercentage: "x-envoy-fault-abort-request-percentage"
    case .apusFailure: "x-apus-failure"
    }
  }
}
