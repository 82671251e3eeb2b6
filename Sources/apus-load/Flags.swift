import ArgumentParser

struct LoadFlags: ParsableArguments {
  @Argument(help: "http:// or https://HOST:PORT/PATH; tcp:// or tls://HOST:PORT with --tcp-echo. A path may hold {n}, {rand:1-1000}, {uuid}.")
  var url: String?

  @Option(help: "File of URLs or paths, a line each: 'url' or 'weight url'.")
  var urls: String?

  @Option(help: ArgumentHelp("Connect there whatever the URL says: an address, or unix:/path.", valueName: "address"))
  var connectTo: String?

  @Option(name: [.customShort("c", allowingJoined: true), .long], help: "Connections, over all threads.")
  var connections = 64

  @Option(name: [.customShort("t", allowingJoined: true), .long], help: "Threads, each with a ring of its own.")
  var threads = 1

  @Option(name: [.customShort("d", allowingJoined: true), .long], help: "How long to measure (default: 10s).")
  var duration: String?

  @Option(name: [.customShort("n", allowingJoined: true), .long], help: "How many requests to send.")
  var requests: String?

  @Option(help: "Load for so long before measuring.")
  var warmUp: String?

  @Option(name: [.customShort("r", allowingJoined: true), .long], help: "Requests a second: open loop. A range like 1k..50k climbs in steps.")
  var rate: String?

  @Option(help: "Distances between requests: constant or poisson (default: constant).")
  var arrivals: String?

  @Option(help: "Length of a step of a range of rates (default: 5s).")
  var step: String?

  @Option(help: "Number of steps of a range of rates (default: 10).")
  var steps: Int?

  @Option(help: "HTTP/1: requests on their way at once on one connection.")
  var pipeline = 1

  @Flag(help: "Speak HTTP/1.1 alone.")
  var http1 = false

  @Flag(help: "Speak HTTP/2, over http:// from the first byte.")
  var http2 = false

  @Option(help: "HTTP/2: requests on their way at once on one connection (default: 1).")
  var streams: Int?

  @Flag(help: "Unary calls of gRPC: bodies are messages, an answer is right with grpc-status 0.")
  var grpc = false

  @Flag(help: "Open a connection for each request.")
  var newConnectionPerRequest = false

  @Option(help: "From sending a request to the end of its answer (default: 10s).")
  var timeout: String?

  @Option(help: "For a connection to be made (default: 3s).")
  var connectTimeout: String?

  @Option(help: ArgumentHelp("TCP: send messages of this size, expect the same back.", valueName: "size"))
  var tcpEcho: String?

  @Option(help: "Of everything random: the same seed draws the same.")
  var seed: UInt64?
}

struct TLSFlags: ParsableArguments {
  @Flag(help: "Take any certificate of the server.")
  var insecure = false

  @Option(help: ArgumentHelp("PEM file of authorities (default: the system's).", valueName: "file"))
  var caFile: String?

  @Option(help: ArgumentHelp("Ask for this name and expect its certificate (default: the URL's host).", valueName: "name"))
  var serverName: String?

  @Option(help: "Lowest version of TLS: 1.2 or 1.3 (default: 1.2).")
  var tlsMin: String?

  @Option(help: "Highest version of TLS: 1.2 or 1.3 (default: 1.3).")
  var tlsMax: String?

  @Option(help: ArgumentHelp("PEM file of a client certificate and its chain.", valueName: "file"))
  var cert: String?

  @Option(help: ArgumentHelp("PEM file of its key.", valueName: "file"))
  var key: String?

  @Flag(help: "Resume TLS sessions: new connections use tickets of earlier ones.")
  var resume = false
}

struct RequestFlags: ParsableArguments {
  @Option(name: [.customShort("m", allowingJoined: true), .long], help: "Method (default: GET, or POST with a body).")
  var method: String?

  @Option(name: [.customShort("H", allowingJoined: true), .long], help: "A header, 'Name: value'; may be repeated.")
  var header: [String] = []

  @Option(help: "Body, as it is.")
  var body: String?

  @Option(help: "Body from a file.")
  var bodyFile: String?

  @Option(help: "Made-up body of this size, or of a random size in a range like 1k..64k.")
  var bodySize: String?
}

struct CheckFlags: ParsableArguments {
  @Option(help: "Status codes that are right, like 200,204 or 2xx (default: 2xx,3xx).")
  var expectStatus: String?

  @Option(help: "Bytes that the body must have.")
  var expectBodySize: String?

  @Option(name: [.long, .customLong("expect-body-text")], help: "What the body must be.")
  var expectBody: String?

  @Option(help: "File that the body must equal.")
  var expectBodyFile: String?

  @Option(help: "XXH64 of the body, 16 hexadecimal digits (xxh64sum prints it).")
  var expectBodyHash: String?
}

struct ReportFlags: ParsableArguments {
  @Option(help: "Name of this run in reports.")
  var label: String?

  @Option(help: "Write everything as JSON; --compare reads it.")
  var json: String?

  @Option(help: "Write a row for each slice of time as CSV.")
  var csv: String?

  @Option(help: "Write the percentile distribution as HdrHistogram's plotter reads it.")
  var hdr: String?

  @Option(help: "Write one page with charts.")
  var html: String?

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Put saved JSON files side by side into --html.", valueName: "files"))
  var compare: [String] = []

  @Flag(help: "No progress lines.")
  var quiet = false
}

struct OriginFlags: ParsableArguments {
  @Option(help: ArgumentHelp("Be the server at this address (port 0: any free one).", valueName: "address"))
  var origin: String?

  @Option(help: "Bytes of each answer (default: 1k).")
  var size: String?

  @Option(help: "Hold answers back: 10ms, uniform:1ms-20ms, exponential:10ms, normal:10ms,2ms or pareto:1ms,1.5.")
  var delay: String?

  @Option(help: "Fractions that go wrong: a status, reset, close or silence, like 1%:503,0.1%:reset.")
  var errors: String?

  @Option(help: "Bytes of a body a second, on each connection.")
  var bodyRate: String?

  @Flag(help: "Answer with chunked bodies.")
  var chunked = false

  @Flag(help: "TCP: send back whatever comes.")
  var echo = false

  @Flag(help: "Speak TLS, with a certificate made at start.")
  var tls = false

  @Option(help: ArgumentHelp("Speak TLS with this PEM certificate and its chain.", valueName: "file"))
  var tlsCert: String?

  @Option(help: ArgumentHelp("PEM file of its key.", valueName: "file"))
  var tlsKey: String?

  /// A flag that makes sense for an origin alone.
  var firstGiven: String? {
    if echo { return "--echo" }
    if tls { return "--tls" }
    if tlsCert != nil { return "--tls-cert" }
    return tlsKey != nil ? "--tls-key" : httpFlag
  }

  /// A flag that makes sense for answers over HTTP alone.
  var httpFlag: String? {
    if size != nil { return "--size" }
    if delay != nil { return "--delay" }
    if errors != nil { return "--errors" }
    if bodyRate != nil { return "--body-rate" }
    return chunked ? "--chunked" : nil
  }
}
