import Primitives

/// What is known about one request, or one TCP connection, while it passes through: the material of
/// access logs, header formats and statistics. A trivial struct; all views point into the stream's
/// arena, the connection or the snapshot that the stream pins.
public struct StreamInfo {
  public enum ProtocolVersion: UInt8, Sendable {
    case none, http10, http11, http2
  }

  /// An endpoint address as a trivial value; a pipe has no IP and shows its path.
  public struct Endpoint {
    public var ip: IPAddress?
    public var port: UInt16
    /// Text for what is not IP (a pipe's path), or empty.
    public var path: ByteView

    public init(ip: IPAddress?, port: UInt16, path: ByteView = .empty) {
      self.ip = ip
      self.port = port
      self.path = path
    }

    public static var none: Endpoint { Endpoint(ip: nil, port: 0) }
    public var isNone: Bool { ip == nil && path.isEmpty }
  }

  // Times: nanoseconds of the worker's monotonic clock, 0 = has not happened.
  /// Nanoseconds since 1970 at the first byte of the request.
  public var startWallNanoseconds: Int64 = 0
  public var start: UInt64 = 0
  /// Last byte of the downstream request received.
  public var requestEnd: UInt64 = 0
  public var upstreamConnected: UInt64 = 0
  /// Nanoseconds the request waited for a connection of the pool, 0 = none was given.
  public var upstreamPoolReadyDuration: UInt64 = 0
  public var upstreamRequestStart: UInt64 = 0
  public var upstreamRequestEnd: UInt64 = 0
  public var upstreamResponseStart: UInt64 = 0
  public var upstreamResponseEnd: UInt64 = 0
  public var downstreamResponseStart: UInt64 = 0
  /// Stream complete (also the time of the log record).
  public var end: UInt64 = 0

  // Bytes
  /// Body bytes (TCP: all bytes).
  public var bytesReceived: UInt64 = 0
  public var bytesSent: UInt64 = 0
  public var downstreamWireBytesReceived: UInt64 = 0
  public var downstreamWireBytesSent: UInt64 = 0
  public var upstreamWireBytesReceived: UInt64 = 0
  public var upstreamWireBytesSent: UInt64 = 0
  public var downstreamHeaderBytesReceived: UInt64 = 0
  public var downstreamHeaderBytesSent: UInt64 = 0
  public var upstreamHeaderBytesReceived: UInt64 = 0
  public var upstreamHeaderBytesSent: UInt64 = 0

  // Outcome
  /// 0 = no response was sent.
  public var responseCode: UInt16 = 0
  public var flags: ResponseFlags = []
  /// e.g. `via_upstream`, `route_not_found`.
  public var responseCodeDetails: ByteView = .empty
  public var connectionTerminationDetails: ByteView = .empty
  public var upstreamTransportFailureReason: ByteView = .empty
  public var downstreamTransportFailureReason: ByteView = .empty
  /// A sentence about what went wrong with the host, where somebody asks for one.
  public var failure: ByteView = .empty
  public var version: ProtocolVersion = .none
  public var upstreamVersion: ProtocolVersion = .none
  public var isHealthCheck = false
  /// Body of a proxy-made reply.
  public var localReplyBody: ByteView = .empty

  // Who
  /// The trusted client address (after x-forwarded-for rules).
  public var downstreamRemote: Endpoint = .none
  /// The peer of the socket.
  public var downstreamDirectRemote: Endpoint = .none
  public var downstreamLocal: Endpoint = .none
  public var upstreamHost: Endpoint = .none
  public var upstreamHostName: ByteView = .empty
  public var upstreamLocal: Endpoint = .none
  public var upstreamCluster: ByteView = .empty
  public var upstreamClusterRaw: ByteView = .empty
  public var upstreamAttempts: UInt32 = 0
  public var routeName: ByteView = .empty
  public var virtualHostName: ByteView = .empty
  public var virtualClusterName: ByteView = .empty
  public var filterChainName: ByteView = .empty
  public var requestedServerName: ByteView = .empty
  /// Of the client's connection; nil = plain. As long as the connection.
  public var downstreamTLS: UnsafePointer<TLSFacts>?
  /// Of the host's connection; nil = plain, or nobody asks. As long as the stream.
  public var upstreamTLS: UnsafePointer<TLSFacts>?
  public var connectionID: UInt64 = 0
  public var upstreamConnectionID: UInt64 = 0
  public var streamID: UInt64 = 0

  public init() {}

  /// What is told of the attempt of another stream, which goes on in this one; its host is told apart.
  public mutating func takeAttempt(of other: StreamInfo) {
    upstreamConnectionID = other.upstreamConnectionID
    upstreamConnected = other.upstreamConnected
    upstreamPoolReadyDuration = other.upstreamPoolReadyDuration
    upstreamRequestStart = other.upstreamRequestStart
    upstreamRequestEnd = other.upstreamRequestEnd
    upstreamResponseStart = other.upstreamResponseStart
    upstreamVersion = other.upstreamVersion
    upstreamWireBytesReceived = other.upstreamWireBytesReceived
    upstreamWireBytesSent = other.upstreamWireBytesSent
    upstreamHeaderBytesReceived = other.upstreamHeaderBytesReceived
    upstreamHeaderBytesSent = other.upstreamHeaderBytesSent
  }

  /// The request passes filters and router once more: what is known of the client and of the request stays.
  public mutating func beginAgain() {
    upstreamConnected = 0
    upstreamPoolReadyDuration = 0
    upstreamRequestStart = 0
    upstreamRequestEnd = 0
    upstreamResponseStart = 0
    upstreamResponseEnd = 0
    end = 0
    upstreamWireBytesReceived = 0
    upstreamWireBytesSent = 0
    upstreamHeaderBytesReceived = 0
    upstreamHeaderBytesSent = 0
    responseCode = 0
    flags = []
    responseCodeDetails = .empty
    upstreamTransportFailureReason = .empty
    failure = .empty
    upstreamVersion = .none
    localReplyBody = .empty
    upstreamHost = .none
    upstreamHostName = .empty
    upstreamLocal = .none
    upstreamCluster = .empty
    upstreamClusterRaw = .empty
    upstreamAttempts = 0
    routeName = .empty
    virtualHostName = .empty
    virtualClusterName = .empty
    upstreamTLS = nil
    upstreamConnectionID = 0
  }
}
