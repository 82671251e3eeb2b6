import Format
import HostHealth
import Routing

/// One of a cluster's `health_checks`, checked.
public struct ActiveCheck: Sendable {
  public enum Kind: Sendable {
    case http(HTTP)
    case grpc(GRPC)
    case tcp(TCP)
    case redis(Redis)

    /// As `health_checker_type` in the event log.
    public var word: StaticString {
      switch self {
      case .http: "HTTP"
      case .grpc: "GRPC"
      case .tcp: "TCP"
      case .redis: "REDIS"
      }
    }
  }

  public struct HTTP: Sendable {
    public var path: String
    /// Empty: the cluster's name, unless the endpoint has one.
    public var host: String
    public var method: String
    public var isHTTP2: Bool
    public var body: [UInt8]
    /// What the beginning of the response's body must hold, in this order.
    public var receive: PayloadMatch
    /// How much of the body is looked at.
    public var bodyBytesMax: Int
    public var headers: HeaderMutations
    public var expected: StatusRanges
    public var retriable: StatusRanges
    /// On `x-envoy-upstream-healthchecked-cluster`: who the host says that it is.
    public var service: HeaderConditions?
  }

  public struct GRPC: Sendable {
    public var service: String
    /// Empty: the cluster's name, unless the endpoint has one.
    public var authority: String
    public var metadata: HeaderMutations
  }

  public struct TCP: Sendable {
    public var send: [UInt8]
    public var receive: PayloadMatch
    /// Nil for none: the PROXY protocol header of a connection that the proxy makes for itself (LOCAL).
    public var proxyProtocolVersion: UInt8?

    public init(send: [UInt8], receive: PayloadMatch, proxyProtocolVersion: UInt8?) {
      self.send = send
      self.receive = receive
      self.proxyProtocolVersion = proxyProtocolVersion
    }
  }

  public struct Redis: Sendable {
    /// Empty: PING; else EXISTS of this key, which must not be there.
    public var key: String

    public init(key: String) { self.key = key }
  }

  /// Tells several checks of a cluster apart; may be empty when there is one.
  public var name: String
  public var kind: Kind
  public var settings: CheckSettings
  public var timeoutNanoseconds: UInt64
  public var reusesConnections: Bool
  /// What its handshakes offer (ALPN), in wire form (RFC 7301 section 3.1); empty: what the check speaks.
  public var protocols: [UInt8] = []
  /// What chooses its connections' transport socket, in place of the endpoint's metadata.
  var socketCriteria: SocketLabels?
  /// Numbers of log targets.
  public var eventLogs: [UInt16]

  /// Whether a host must say that it is of the right service.
  var verifiesService: Bool {
    if case .http(let http) = kind { http.service != nil } else { false }
  }
}

/// Statuses that count: half-open ranges.
public struct StatusRanges: Sendable, Equatable {
  public var ranges: [Range<UInt16>]

  public init(_ ranges: [Range<UInt16>]) { self.ranges = ranges }

  public func contains(_ status: UInt16) -> Bool { ranges.contains { $0.contains(status) } }
}

/// Blocks of bytes that must occur one behind the other, with anything between them.
public struct PayloadMatch: Sendable, Equatable {
  public var blocks: [[UInt8]]

  public init(_ blocks: [[UInt8]]) { self.blocks = blocks.filter { !$0.isEmpty } }

  public var isEmpty: Bool { blocks.isEmpty }

  /// - Returns: Whether all blocks are in `bytes`.
  public func matches(_ bytes: some RandomAccessCollection<UInt8>) -> Bool {
    var rest = bytes[...]
    for block in blocks {
      guard let end = Self.end(of: block, in: rest) else { return false }
      rest = rest[end...]
    }
    return true
  }

  private static func end<Bytes: RandomAccessCollection<UInt8>>(
    of block: [UInt8], in bytes: Bytes
  ) -> Bytes.Index? {
    var start = bytes.startIndex
    while bytes.distance(from: start, to: bytes.endIndex) >= block.count {
      if bytes[start...].starts(with: block) { return bytes.index(start, offsetBy: block.count) }
      bytes.formIndex(after: &start)
    }
    return nil
  }
}
