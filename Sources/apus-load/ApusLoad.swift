import ArgumentParser
import Glibc
import LoadBase
import LoadGenerator

/// `apus-load`: a load generator, the origin that goes with it, and comparisons of saved runs.
@main
struct ApusLoad: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apus-load",
    abstract: "Load a server over HTTP/1.1, HTTP/2, gRPC or TCP, with or without TLS, and report what it did.",
    usage: """
      apus-load URL [options]
      apus-load --origin ADDRESS [--size N] [--delay D] [--errors LIST] [--body-rate N] [--tls] [--grpc] [--echo]
      apus-load --compare A.json B.json ... --html OUT.html
      """,
    discussion: """
      Without --rate each connection sends its next request when the answer is there (closed loop). With --rate \
      requests go at their own times, and latency counts from when each was due (open loop).

        apus-load http://127.0.0.1:8080/
        apus-load http://127.0.0.1:8080/ --rate 20k --arrivals poisson --duration 30s
        apus-load http://127.0.0.1:8080/ --rate 1k..50k --step 5s --html ramp.html

      Sizes are like 64k, durations like 250ms or 10s, rates like 20k. Exit status: 0 when every answer was \
      right, 1 when not, 2 for a mistake on the command line.
      """)

  @OptionGroup(title: "Load") var load: LoadFlags
  @OptionGroup(title: "TLS") var tls: TLSFlags
  @OptionGroup(title: "Requests") var requests: RequestFlags
  @OptionGroup(title: "Right answers") var checks: CheckFlags
  @OptionGroup(title: "Reports") var reports: ReportFlags
  @OptionGroup(title: "Origin") var origin: OriginFlags

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as UsageError {
      Console.complain(error.description)
      Glibc.exit(2)
    } catch let failure as RunFailure {
      Console.complain(failure.description)
      Glibc.exit(1)
    } catch {
      let code = exitCode(for: error)
      if code == .validationFailure {
        // The parser may offer several readings of a mistake; the first is the plainest.
        let text = message(for: error)
        Console.complain(String(text.prefix { $0 != "\n" }))
        Glibc.exit(2)
      }
      exit(withError: error)
    }
  }

  func run() throws {
    if !reports.compare.isEmpty {
      try alone("--compare", isOthers: load.url != nil || origin.origin != nil)
      throw ExitCode(try Comparison(reports).run())
    }
    if let address = origin.origin {
      try alone("--origin", isOthers: load.url != nil || load.urls != nil)
      throw ExitCode(try OriginCommand(address, origin, threads: load.threads, isGRPC: load.grpc).run())
    }
    if let flag = origin.firstGiven {
      throw UsageError("\(flag) goes with --origin ADDRESS")
    }
    let environment = PlanBuilder.Environment(
      readFile: Files.read(_:option:), resolve: HostResolver.resolve)
    let plan = try PlanBuilder(options, environment).plan()
    throw ExitCode(try LoadCommand(plan, reports).run())
  }

  private func alone(_ flag: String, isOthers: Bool) throws {
    if isOthers { throw UsageError("\(flag) does not go with a URL or another mode") }
  }

  private var options: LoadOptions {
    var options = LoadOptions()
    options.url = load.url
    options.urls = load.urls
    options.connectTo = load.connectTo
    options.connections = load.connections
    options.threads = load.threads
    options.duration = load.duration
    options.requests = load.requests
    options.warmUp = load.warmUp
    options.rate = load.rate
    options.arrivals = load.arrivals
    options.step = load.step
    options.steps = load.steps
    options.pipeline = load.pipeline
    options.http1 = load.http1
    options.http2 = load.http2
    options.streams = load.streams
    options.grpc = load.grpc
    options.newConnectionPerRequest = load.newConnectionPerRequest
    options.timeout = load.timeout
    options.connectTimeout = load.connectTimeout
    options.tcpEcho = load.tcpEcho
    options.seed = load.seed
    options.insecure = tls.insecure
    options.caFile = tls.caFile
    options.serverName = tls.serverName
    options.tlsMin = tls.tlsMin
    options.tlsMax = tls.tlsMax
    options.cert = tls.cert
    options.key = tls.key
    options.resume = tls.resume
    options.method = requests.method
    options.headers = requests.header
    options.body = requests.body
    options.bodyFile = requests.bodyFile
    options.bodySize = requests.bodySize
    options.expectStatus = checks.expectStatus
    options.expectBodySize = checks.expectBodySize
    options.expectBody = checks.expectBody
    options.expectBodyFile = checks.expectBodyFile
    options.expectBodyHash = checks.expectBodyHash
    return options
  }
}
