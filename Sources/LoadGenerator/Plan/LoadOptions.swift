/// What a person typed, not yet looked at: texts as they are on the command line.
public struct LoadOptions: Sendable {
  public var url: String?
  public var urls: String?
  public var connectTo: String?
  public var connections = 64
  public var threads = 1
  public var duration: String?
  public var requests: String?
  public var warmUp: String?
  public var rate: String?
  public var arrivals: String?
  public var step: String?
  public var steps: Int?
  public var pipeline = 1
  public var newConnectionPerRequest = false
  public var method: String?
  public var headers: [String] = []
  public var body: String?
  public var bodyFile: String?
  public var bodySize: String?
  public var timeout: String?
  public var connectTimeout: String?
  public var expectStatus: String?
  public var expectBodySize: String?
  public var expectBody: String?
  public var expectBodyFile: String?
  public var expectBodyHash: String?
  public var tcpEcho: String?
  public var seed: UInt64?
  public var http1 = false
  public var http2 = false
  public var grpc = false
  public var streams: Int?
  public var insecure = false
  public var caFile: String?
  public var serverName: String?
  public var tlsMin: String?
  public var tlsMax: String?
  public var cert: String?
  public var key: String?
  public var resume = false

  public init() {}
}
