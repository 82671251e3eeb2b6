import HTTPCore
import Primitives

/// One step of a compiled format: literal bytes or an operator with its resolved parameters.
struct FormatOperation: BitwiseCopyable {
  enum Kind: UInt8 {
    case literal
    // Headers
    case requestHeader, responseHeader, responseTrailer
    case requestHeadersBytes, responseHeadersBytes, responseTrailersBytes
    case path, queryParameter, queryParameters
    // Time
    case startTime, emitTime, commonDuration
    case connectionPoolReadyDuration
    // Numbers of the stream
    case bytesReceived, bytesSent
    case downstreamWireBytesReceived, downstreamWireBytesSent
    case upstreamWireBytesReceived, upstreamWireBytesSent
    case downstreamHeaderBytesReceived, downstreamHeaderBytesSent
    case upstreamHeaderBytesReceived, upstreamHeaderBytesSent
    case responseCode, upstreamAttempts, connectionID, upstreamConnectionID, zero
    case grpcStatus, grpcStatusNumber
    // Texts of the stream
    case protocolVersion, upstreamProtocol
    case responseCodeDetails, connectionTerminationDetails
    case upstreamTransportFailureReason, downstreamTransportFailureReason
    case responseFlags, responseFlagsLong
    case upstreamHostName, upstreamHostNameWithoutPort, upstreamCluster, upstreamClusterRaw
    case routeName, virtualClusterName, filterChainName, requestedServerName
    case streamID, uniqueID, failure, localReplyBody, accessLogType
    // Of a TLS connection; which one is in `isUpstream`, which text in `fact`
    case tlsText, tlsValidFrom, tlsValidUntil, tlsHandshakeDuration
    // Addresses: which one is in `endpoint`
    case address, addressWithoutPort, port
    /// What only tracing or a filter that we lack could fill.
    case absent
    /// Always there and always empty.
    case emptyText
  }

  enum Endpoint: UInt8 {
    case downstreamRemote, downstreamDirectRemote, downstreamLocal, upstreamHost, upstreamLocal
  }

  /// Points on the stream's time line, by the names of COMMON_DURATION.
  enum TimePoint: UInt8, CaseIterable {
    case downstreamReceiveBegin, downstreamReceiveEnd
    case upstreamConnectEnd, upstreamSendBegin, upstreamSendEnd
    case upstreamReceiveBegin, upstreamReceiveEnd
    case downstreamSendBegin, downstreamSendEnd

    var name: String {
      switch self {
      case .downstreamReceiveBegin: "DS_RX_BEG"
      case .downstreamReceiveEnd: "DS_RX_END"
      case .upstreamConnectEnd: "US_CX_END"
      case .upstreamSendBegin: "US_TX_BEG"
      case .upstreamSendEnd: "US_TX_END"
      case .upstreamReceiveBegin: "US_RX_BEG"
      case .upstreamReceiveEnd: "US_RX_END"
      case .downstreamSendBegin: "DS_TX_BEG"
      case .downstreamSendEnd: "DS_TX_END"
      }
    }
  }

  var kind: Kind
  /// Literal bytes, a header's or parameter's name.
  var text: ByteView = .empty
  var known: KnownHeader = .other
  /// The second name of `X?Y`, empty when there is none.
  var alternative: ByteView = .empty
  var alternativeKnown: KnownHeader = .other
  /// Longest value in bytes; `Int.max` sets no limit.
  var lengthMax = Int.max
  var endpoint: Endpoint = .downstreamRemote
  var fact: TLSFact = .version
  /// The host's connection is meant, not the client's.
  var isUpstream = false
  var from: TimePoint = .downstreamReceiveBegin
  var to: TimePoint = .downstreamReceiveBegin
  /// Nanoseconds that make one unit of a duration.
  var divisor: UInt64 = 1_000_000
  var time: UnsafePointer<TimeFormat>?
  /// Meaning depends on the kind: keep white space, drop the query, snake case...
  var flag = false
  /// PATH: which header the path comes from.
  var pathSource: PathSource = .originalOrPath

  enum PathSource: UInt8 { case original, path, originalOrPath }

  init(_ kind: Kind) { self.kind = kind }

  /// Whether JSON shows the value as a number.
  var isNumeric: Bool {
    switch kind {
    case .requestHeadersBytes, .responseHeadersBytes, .responseTrailersBytes,
      .commonDuration, .connectionPoolReadyDuration,
      .bytesReceived, .bytesSent, .downstreamWireBytesReceived, .downstreamWireBytesSent,
      .upstreamWireBytesReceived, .upstreamWireBytesSent,
      .downstreamHeaderBytesReceived, .downstreamHeaderBytesSent,
      .upstreamHeaderBytesReceived, .upstreamHeaderBytesSent,
      .responseCode, .upstreamAttempts, .connectionID, .upstreamConnectionID, .zero,
      .grpcStatusNumber, .port:
      true
    default: false
    }
  }
}
