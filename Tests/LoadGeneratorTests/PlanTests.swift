import LoadBase
import LoadReport
import Primitives
import Testing

@testable import LoadGenerator

private let files: [String: String] = [
  "urls": "# two\n3 /a\n\n1 http://127.0.0.1:8080/b\n/c\n", "empty": "\n# nothing\n",
  "other": "http://127.0.0.1:1/\nhttp://127.0.0.1:2/\n", "bad": "x y z\n", "weight": "-1 /a\n",
  "body": "hello",
]

private let https = "https://127.0.0.1:8443/"

private func plan(_ set: (inout LoadOptions) -> Void) throws -> LoadPlan {
  var options = LoadOptions()
  options.url = "http://127.0.0.1:8080/"
  set(&options)
  let environment = PlanBuilder.Environment(
    readFile: { (path, option) throws(UsageError) in
      guard let text = files[path] else { throw UsageError("\(option) \(path): cannot read: gone") }
      return Array(text.utf8)
    },
    resolve: { (host, port) throws(UsageError) in
      if host == "known" { return .ip(IPAddress(v4: 0x7F00_0001), port: port) }
      throw UsageError("\(host): name or service not known")
    })
  return try PlanBuilder(options, environment).plan()
}

@Suite struct PlanTests {
  @Test func defaults() throws {
    let plan = try plan { _ in }
    #expect(plan.duration == 10_000_000_000)
    #expect(plan.requests == nil)
    #expect(plan.mode == .closed)
    #expect(plan.address == SocketAddress("127.0.0.1:8080"))
    guard case .http(.http1, let requests) = plan.traffic else { return #expect(Bool(false)) }
    #expect(requests.map(\.path) == ["/"] && requests[0].method == "GET")
    #expect(requests[0].authority == "127.0.0.1:8080")
  }

  @Test func aBodyMakesAPost() throws {
    let plan = try plan { $0.bodyFile = "body" }
    guard case .http(.http1, let requests) = plan.traffic else { return #expect(Bool(false)) }
    #expect(requests[0].method == "POST" && requests[0].body == .bytes(Array("hello".utf8)))
  }

  @Test func urlsWithWeights() throws {
    let plan = try plan { $0.urls = "urls" }
    guard case .http(.http1, let requests) = plan.traffic else { return #expect(Bool(false)) }
    #expect(requests.map(\.path) == ["/a", "/b", "/c"])
    #expect(requests.map(\.weight) == [3, 1, 1])
  }

  @Test func namesAreLookedUp() throws {
    let known = try plan { $0.url = "http://known/" }
    #expect(known.address == SocketAddress("127.0.0.1:80"))
    let elsewhere = try plan {
      $0.url = "http://unknown.example/"
      $0.connectTo = "unix:/run/x"
    }
    #expect(elsewhere.address == .pipe("/run/x"))
  }

  @Test func ramps() throws {
    let three: [(inout LoadOptions) -> Void] = [
      { $0.step = "2s" }, { $0.duration = "20s" },
      { $0.step = "2s"; $0.duration = "20s" }, { $0.steps = 10; $0.step = "2s" },
    ]
    for set in three {
      let plan = try plan {
        $0.rate = "1k..10k"
        set(&$0)
      }
      guard case .open(let schedule, .constant) = plan.pace else { return #expect(Bool(false)) }
      #expect(schedule.measured.map(\.rate) == (1...10).map { Double($0) * 1000 })
      #expect(plan.duration == 20_000_000_000)
      #expect(2_000_000_000 % plan.intervalLength == 0)
    }
  }

  @Test func echo() throws {
    let plan = try plan {
      $0.url = "tcp://127.0.0.1:9000"
      $0.tcpEcho = "4k"
    }
    guard case .tcpEcho(4096) = plan.traffic else { return #expect(Bool(false)) }
  }

  @Test func expectations() throws {
    let plan = try plan {
      $0.expectStatus = "200,3xx,500-502"
      $0.expectBodySize = "1k"
      $0.expectBodyHash = "ef46db3751d8e999"
    }
    #expect(plan.check.accepts(status: 200) && !plan.check.accepts(status: 204))
    #expect(plan.check.accepts(status: 399) && plan.check.accepts(status: 502) && !plan.check.accepts(status: 503))
    #expect(plan.check.bodyBytes == 1024 && plan.check.bodyHash == 0xef46_db37_51d8_e999)
  }

  @Test func secured() throws {
    let plan = try plan {
      $0.url = "https://known/x"
      $0.insecure = true
      $0.tlsMin = "1.3"
      $0.resume = true
    }
    #expect(plan.address == SocketAddress("127.0.0.1:443") && plan.target == "https://known/x")
    let tls = try #require(plan.tls)
    #expect(tls.serverName == "known" && tls.authorities == nil && tls.resumes)
    #expect(tls.versionMin == 0x0304 && tls.versionMax == 0x0304)
    guard case .http(.negotiated, let requests) = plan.traffic else { return #expect(Bool(false)) }
    #expect(requests[0].authority == "known")
    #expect(plan.applicationProtocols == ["h2", "http/1.1"])
  }

  struct Version: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let choice: HTTPVersionChoice
    let set: @Sendable (inout LoadOptions) -> Void
  }

  static let versions = [
    Version(testDescription: "http is HTTP/1.1", choice: .http1) { _ in },
    Version(testDescription: "--http2 is prior knowledge", choice: .http2) { $0.http2 = true; $0.streams = 10 },
    Version(testDescription: "one stream needs nothing", choice: .http1) { $0.streams = 1 },
    Version(testDescription: "https is negotiated", choice: .negotiated) { $0.url = https },
    Version(testDescription: "https with --http1", choice: .http1) { $0.url = https; $0.http1 = true },
    Version(testDescription: "https with --http2", choice: .http2) { $0.url = https; $0.http2 = true },
    Version(testDescription: "https with streams", choice: .http2) { $0.url = https; $0.streams = 2 },
    Version(testDescription: "https with pipelining", choice: .http1) { $0.url = https; $0.pipeline = 2 },
  ]

  @Test(arguments: versions)
  func version(_ row: Version) throws {
    let plan = try plan {
      row.set(&$0)
      $0.insecure = $0.url == https
    }
    #expect(plan.version == row.choice && !plan.isGRPC)
    #expect(plan.applicationProtocols.contains("h2") == (row.choice != .http1))
  }

  @Test func calls() throws {
    let plan = try plan {
      $0.grpc = true
      $0.bodySize = "100"
      $0.streams = 7
    }
    guard case .grpc(let requests) = plan.traffic else { return #expect(Bool(false)) }
    #expect(requests[0].method == "POST" && plan.streams == 7 && plan.version == .http2)
  }

  struct Mistake: Sendable, CustomTestStringConvertible {
    let said: String
    let set: @Sendable (inout LoadOptions) -> Void
    var testDescription: String { said }
  }

  static let mistakes: [Mistake] = [
    Mistake(said: "no URL") { $0.url = nil },
    Mistake(said: "unknown scheme 'ftp'") { $0.url = "ftp://a/" },
    Mistake(said: "no host") { $0.url = "http:///x" },
    Mistake(said: "'0' is no port") { $0.url = "http://a:0/" },
    Mistake(said: "'99999' is no port") { $0.url = "http://a:99999/" },
    Mistake(said: "user names") { $0.url = "http://me@a/" },
    Mistake(said: "after ']'") { $0.url = "http://[::1]x/" },
    Mistake(said: "nowhere: name or service not known") { $0.url = "http://nowhere/" },
    Mistake(said: "--connect-to x") { $0.connectTo = "x" },
    Mistake(said: "--urls none: cannot read") { $0.urls = "none" },
    Mistake(said: "empty: no URL") { $0.urls = "empty" },
    Mistake(said: "another server") { $0.urls = "other" },
    Mistake(said: "bad:1: expected") { $0.urls = "bad" },
    Mistake(said: "weight:1: '-1' is no weight") { $0.urls = "weight" },
    Mistake(said: "'/a' is a path") { $0.url = nil; $0.urls = "urls" },
    Mistake(said: "--connections 0") { $0.connections = 0 },
    Mistake(said: "--threads 0") { $0.threads = 0 },
    Mistake(said: "more than the 4 connections") { $0.threads = 5; $0.connections = 4 },
    Mistake(said: "--pipeline 0") { $0.pipeline = 0 },
    Mistake(said: "exclude each other") { $0.pipeline = 2; $0.newConnectionPerRequest = true },
    Mistake(said: "--duration soon") { $0.duration = "soon" },
    Mistake(said: "--duration 0") { $0.duration = "0" },
    Mistake(said: "--requests 0") { $0.requests = "0" },
    Mistake(said: "--requests 1.5") { $0.requests = "1.5" },
    Mistake(said: "--timeout -1s") { $0.timeout = "-1s" },
    Mistake(said: "--rate 0") { $0.rate = "0" },
    Mistake(said: "--rate fast") { $0.rate = "fast" },
    Mistake(said: "--arrivals needs --rate") { $0.arrivals = "poisson" },
    Mistake(said: "--arrivals normal") { $0.rate = "1k"; $0.arrivals = "normal" },
    Mistake(said: "--step needs a range") { $0.rate = "1k"; $0.step = "1s" },
    Mistake(said: "--steps needs --rate") { $0.steps = 3 },
    Mistake(said: "--steps 1") { $0.rate = "1..2"; $0.steps = 1 },
    Mistake(said: "two of them") { $0.rate = "1..2"; $0.steps = 3; $0.step = "1s"; $0.duration = "3s" },
    Mistake(said: "2 to 1000 steps") { $0.rate = "1..2"; $0.step = "2s"; $0.duration = "3s" },
    Mistake(said: "--requests has no meaning") { $0.rate = "1..2"; $0.requests = "3" },
    Mistake(said: "-H 'x'") { $0.headers = ["x"] },
    Mistake(said: "give one") { $0.body = "a"; $0.bodySize = "1k" },
    Mistake(said: "--body-file none: cannot read") { $0.bodyFile = "none" },
    Mistake(said: "--body-size 9..1") { $0.bodySize = "9..1" },
    Mistake(said: "--body-size 1x") { $0.bodySize = "1x" },
    Mistake(said: "--expect-status 99") { $0.expectStatus = "99" },
    Mistake(said: "--expect-status ok") { $0.expectStatus = "ok" },
    Mistake(said: "--expect-body and --expect-body-file") { $0.expectBody = "a"; $0.expectBodyFile = "body" },
    Mistake(said: "--expect-body-hash 12") { $0.expectBodyHash = "12" },
    Mistake(said: "--http1 and --http2 exclude") { $0.http1 = true; $0.http2 = true },
    Mistake(said: "--http1 and --grpc exclude") { $0.http1 = true; $0.grpc = true },
    Mistake(said: "--streams 2: needs HTTP/2; say --http2") { $0.streams = 2 },
    Mistake(said: "--streams 2: needs HTTP/2") { $0.url = https; $0.insecure = true; $0.http1 = true; $0.streams = 2 },
    Mistake(said: "--streams 0: expected 1 to 100000") { $0.http2 = true; $0.streams = 0 },
    Mistake(said: "--streams and --new-connection-per-request") {
      $0.http2 = true
      $0.streams = 2
      $0.newConnectionPerRequest = true
    },
    Mistake(said: "--pipeline is for HTTP/1; say --streams") { $0.http2 = true; $0.pipeline = 2 },
    Mistake(said: "calls of gRPC are POST") { $0.grpc = true; $0.method = "GET" },
    Mistake(said: "--expect-status has no meaning with --grpc") { $0.grpc = true; $0.expectStatus = "200" },
    Mistake(said: "--http2 has no meaning with --tcp-echo") {
      $0.url = "tcp://127.0.0.1:1"
      $0.tcpEcho = "1"
      $0.http2 = true
    },
    Mistake(said: "--insecure needs an https:// or tls:// URL") { $0.insecure = true },
    Mistake(said: "--resume needs an https:// or tls:// URL") { $0.resume = true },
    Mistake(said: "--tls-max 1.1: expected 1.2 or 1.3") { $0.url = https; $0.insecure = true; $0.tlsMax = "1.1" },
    Mistake(said: "--tls-min 1.3 is above") {
      $0.url = https
      $0.insecure = true
      $0.tlsMin = "1.3"
      $0.tlsMax = "1.2"
    },
    Mistake(said: "no root certificates in /etc/ssl/certs/ca-certificates.crt") { $0.url = https },
    Mistake(said: "--ca-file none: cannot read") { $0.url = https; $0.caFile = "none" },
    Mistake(said: "--ca-file body: no PEM certificate") { $0.url = https; $0.caFile = "body" },
    Mistake(said: "--insecure and --ca-file") { $0.url = https; $0.caFile = "body"; $0.insecure = true },
    Mistake(said: "--cert needs --key") { $0.url = https; $0.insecure = true; $0.cert = "body" },
    Mistake(said: "--key needs --cert") { $0.url = https; $0.insecure = true; $0.key = "body" },
    Mistake(said: "--cert body: no PEM certificate") {
      $0.url = https
      $0.insecure = true
      $0.cert = "body"
      $0.key = "body"
    },
    Mistake(said: "--server-name a b: not a name") { $0.url = https; $0.insecure = true; $0.serverName = "a b" },
    Mistake(said: "no port, expected tls://host:port") { $0.url = "tls://a"; $0.tcpEcho = "1" },
    Mistake(said: "tcp:// and tls:// need --tcp-echo") { $0.url = "tcp://a:1" },
    Mistake(said: "no port") { $0.url = "tcp://a"; $0.tcpEcho = "1" },
    Mistake(said: "tcp has no path") { $0.url = "tcp://a:1/x"; $0.tcpEcho = "1" },
    Mistake(said: "not with an http URL") { $0.tcpEcho = "1" },
    Mistake(said: "--tcp-echo 0") { $0.url = "tcp://127.0.0.1:1"; $0.tcpEcho = "0" },
    Mistake(said: "--body has no meaning with --tcp-echo") {
      $0.url = "tcp://127.0.0.1:1"
      $0.tcpEcho = "1"
      $0.body = "x"
    },
  ]

  @Test(arguments: mistakes)
  func mistake(_ mistake: Mistake) {
    #expect { try plan(mistake.set) } throws: { error in
      let text = "\(error)"
      // One sentence on one line.
      return text.contains(mistake.said) && !text.contains("\n")
    }
  }
}

@Suite struct QuantityTests {
  @Test func values() throws {
    #expect(try Quantity.bytes("64k", option: "") == 65_536)
    #expect(try Quantity.bytes("1.5MiB", option: "") == 1_572_864)
    #expect(try Quantity.bytes("7", option: "") == 7)
    #expect(try Quantity.nanoseconds("250ms", option: "") == 250_000_000)
    #expect(try Quantity.nanoseconds("1.5", option: "") == 1_500_000_000)
    #expect(try Quantity.nanoseconds("2m", option: "") == 120_000_000_000)
    #expect(try Quantity.count("20k", option: "") == 20_000)
    #expect(try Quantity.rate("1.5k/s", option: "") == 1500)
    #expect(try Quantity.fraction("0.1%", option: "") == 0.001)
    #expect(Quantity.range("1k..50k") == ("1k", "50k") && Quantity.range("5") == ("5", "5"))
    #expect(Quantity.range("1-1000") == ("1", "1000") && Quantity.range("1...9") == ("1", "9"))
  }

  @Test(arguments: ["", "k", ".5", "1e3", "-1", "1 k", "１", "1..2", "99999999999999999999"])
  func refused(text: String) {
    #expect(throws: UsageError.self) { try Quantity.bytes(text, option: "--x") }
    #expect(throws: UsageError.self) { try Quantity.nanoseconds(text, option: "--x") }
    #expect(throws: UsageError.self) { try Quantity.rate(text, option: "--x") }
  }
}
