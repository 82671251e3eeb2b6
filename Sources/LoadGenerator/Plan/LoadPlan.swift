public import LoadReport
public import Primitives

/// What connections carry.
public enum ClientProtocol: Sendable {
  case http(HTTPVersionChoice, [RequestPlan])
  /// Unary calls over HTTP/2; bodies are messages.
  case grpc([RequestPlan])
  /// Messages of so many bytes, which the peer sends back.
  case tcpEcho(bytes: Int)
}

/// Which version of HTTP connections speak.
public enum HTTPVersionChoice: Sendable {
  case http1
  /// From the first byte; with TLS, when the server agrees (ALPN).
  case http2
  /// With TLS: HTTP/2 when the server agrees, else HTTP/1.1.
  case negotiated
}

/// When requests are sent.
public enum Pace: Sendable {
  /// Each connection sends the next request when it has the answer.
  case closed
  /// At times that do not depend on the answers.
  case open(RateSchedule, LoadMode.Arrivals)
}

/// One run of the load generator, checked and complete.
public struct LoadPlan: Sendable {
  /// What a report calls the target.
  public var target: String
  public var address: SocketAddress
  /// nil: plaintext.
  public var tls: TLSPlan?
  public var traffic: ClientProtocol
  public var pace = Pace.closed
  public var connections = 1
  public var threads = 1
  /// HTTP/1 and echo: requests on their way at once on one connection.
  public var pipelining = 1
  /// HTTP/2: requests on their way at once on one connection.
  public var streams = 1
  public var newConnectionPerRequest = false
  /// Nanoseconds before what is measured.
  public var warmUp: UInt64 = 0
  /// Nanoseconds that are measured; nil: until `requests` are done.
  public var duration: UInt64?
  /// Requests to send; nil: as many as the time allows.
  public var requests: Int?
  /// Nanoseconds from sending a request to the end of its answer.
  public var timeout: UInt64 = 10_000_000_000
  /// Nanoseconds for a connection to be made, its TLS handshake included.
  public var connectTimeout: UInt64 = 3_000_000_000
  public var check = AnswerCheck()
  /// The same seed draws the same requests and arrivals.
  public var seed: UInt64 = 1

  public init(target: String, address: SocketAddress, traffic: ClientProtocol) {
    self.target = target
    self.address = address
    self.traffic = traffic
  }

  /// Nanoseconds of the slices that the run is reported in.
  var intervalLength: UInt64 {
    guard let duration else { return 200_000_000 }
    if case .open(let schedule, _) = pace, schedule.measured.count > 1,
      let step = schedule.measured.first
    {
      // Whole slices a step.
      let length = step.end - step.start
      return max(1, length / max(1, (length + 999_999_999) / 1_000_000_000))
    }
    return min(max(duration / 20, 50_000_000), 1_000_000_000)
  }

  /// Of a run that carries no HTTP, HTTP/1.
  var version: HTTPVersionChoice {
    switch traffic {
    case .http(let version, _): version
    case .grpc: .http2
    case .tcpEcho: .http1
    }
  }

  var isGRPC: Bool { if case .grpc = traffic { true } else { false } }

  /// What TLS offers (ALPN), the preferred first.
  var applicationProtocols: [String] {
    if case .tcpEcho = traffic { return [] }
    switch version {
    case .http1: return ["http/1.1"]
    case .http2: return ["h2"]
    case .negotiated: return ["h2", "http/1.1"]
    }
  }

  var mode: LoadMode {
    switch pace {
    case .closed: .closed
    case .open(let schedule, let arrivals):
      .open(
        arrivals: arrivals, first: schedule.measured.first?.rate ?? 0,
        last: schedule.measured.last?.rate ?? 0)
    }
  }
}
