import HTTPCore
import Primitives

/// When in the life of a stream a record is written (Envoy's AccessLogType).
public enum AccessLogType: UInt8, Sendable {
  case notSet, tcpUpstreamConnected, tcpPeriodic, tcpConnectionEnd
  case downstreamStart, downstreamPeriodic, downstreamEnd
  case upstreamPoolReady, upstreamPeriodic, upstreamEnd

  var name: StaticString {
    switch self {
    case .notSet: "NotSet"
    case .tcpUpstreamConnected: "TcpUpstreamConnected"
    case .tcpPeriodic: "TcpPeriodic"
    case .tcpConnectionEnd: "TcpConnectionEnd"
    case .downstreamStart: "DownstreamStart"
    case .downstreamPeriodic: "DownstreamPeriodic"
    case .downstreamEnd: "DownstreamEnd"
    case .upstreamPoolReady: "UpstreamPoolReady"
    case .upstreamPeriodic: "UpstreamPeriodic"
    case .upstreamEnd: "UpstreamEnd"
    }
  }
}

/// Everything a format may refer to while it is written. Trivial; lives on the stack of one call.
public struct FormatContext {
  public var stream: UnsafePointer<StreamInfo>
  public var requestHeaders: UnsafePointer<HeaderMap>?
  public var responseHeaders: UnsafePointer<HeaderMap>?
  public var responseTrailers: UnsafePointer<HeaderMap>?
  /// The worker's own; absent, times are formatted anew each time.
  public var timeCache: UnsafeMutablePointer<TimeFormatCache>?
  /// The worker's own, for UNIQUE_ID; absent, that operator is empty.
  public var random: UnsafeMutablePointer<FastRandom>?
  public var logType: AccessLogType

  /// - Parameter stream: And all other pointers must stay valid during the call that gets the
  ///   context.
  public init(
    stream: UnsafePointer<StreamInfo>,
    requestHeaders: UnsafePointer<HeaderMap>? = nil,
    responseHeaders: UnsafePointer<HeaderMap>? = nil,
    responseTrailers: UnsafePointer<HeaderMap>? = nil,
    timeCache: UnsafeMutablePointer<TimeFormatCache>? = nil,
    random: UnsafeMutablePointer<FastRandom>? = nil,
    logType: AccessLogType = .notSet
  ) {
    self.stream = stream
    self.requestHeaders = requestHeaders
    self.responseHeaders = responseHeaders
    self.responseTrailers = responseTrailers
    self.timeCache = timeCache
    self.random = random
    self.logType = logType
  }
}
