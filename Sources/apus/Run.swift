import ArgumentParser
import Glibc
import Server

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run the proxy.",
    discussion: """
      With -c, the file is an Envoy v3 bootstrap in YAML or JSON. Without one, --listen and
      --upstream make a plain HTTP proxy:

        apus run --listen 0.0.0.0:8080 --upstream 127.0.0.1:9000

      SIGHUP, or moving a new file into place, reloads; SIGTERM drains and ends; SIGUSR1 reopens
      log files.
      """)

  @Option(name: [.customShort("c"), .customLong("config-path")], help: "Bootstrap file; - reads standard input.")
  var configPath: String?

  @Option(help: "YAML that is merged over the file.")
  var configYaml: String?

  @Option(help: "Without a file: where to listen, as in 0.0.0.0:8080.")
  var listen: String?

  @Option(help: "Without a file: upstream addresses, separated by commas.")
  var upstream: String?

  @Option(help: "Without a file: address of the admin page.")
  var admin: String?

  @Option(help: "Worker threads (default: one a core).")
  var concurrency: Int?

  @Option(name: [.customShort("l"), .long], help: "trace, debug, info, warning, error, critical or off.")
  var logLevel = "info"

  @Option(help: "File for the proxy's own log (default: standard error).")
  var logPath: String?

  @Option(help: "Cluster that this proxy belongs to.")
  var serviceCluster = ""

  @Option(help: "Name of this node.")
  var serviceNode = ""

  @Option(help: "Zone of this node.")
  var serviceZone = ""

  @Option(help: "Seconds that open requests may take when the proxy, or a listener, goes.")
  var drainTimeS: UInt64 = 600

  @Option(help: "File that receives the admin page's address.")
  var adminAddressPath: String?

  @Option(help: "Milliseconds after which access logs reach their file at the latest.")
  var fileFlushIntervalMsec: UInt64 = 10_000

  @Option(
    help: ArgumentHelp(
      "How connections are spread over workers: load, or kernel.",
      discussion: "load: to the worker with the least CPU time used lately. kernel: SO_REUSEPORT alone."))
  var connectionBalance = "load"

  @Option(
    help: ArgumentHelp(
      "Send histograms to statsd as single timers, at most this many each a flush (sampled above).",
      discussion: "Default: quantiles of each interval."))
  var statsdTimers: Int?

  @Flag(help: ArgumentHelp("Leave TLS records to the library.", visibility: .hidden))
  var tlsAttached = false

  func validate() throws {
    if configPath != nil || configYaml != nil {
      if listen != nil || upstream != nil {
        throw ValidationError("--listen and --upstream stand for a file: leave -c out.")
      }
    } else if listen == nil || upstream == nil {
      throw ValidationError("Give a file with -c, or --listen and --upstream.")
    }
    if !["load", "kernel"].contains(connectionBalance) {
      throw ValidationError("--connection-balance must be load or kernel.")
    }
    if let concurrency, !(1...1024).contains(concurrency) {
      throw ValidationError("--concurrency must be 1...1024.")
    }
  }

  func run() throws {
    var options = ServerOptions()
    options.configPath = configPath
    options.configYAML = configYaml
    options.concurrency = concurrency
    options.logLevel = logLevel
    options.logPath = logPath
    options.serviceCluster = serviceCluster
    options.serviceNode = serviceNode
    options.serviceZone = serviceZone
    options.drainSeconds = drainTimeS
    options.adminAddressPath = adminAddressPath
    options.fileFlushIntervalMilliseconds = fileFlushIntervalMsec
    options.balancesConnections = connectionBalance == "load"
    options.statsdTimersMax = statsdTimers
    options.keepsTLSAttached = tlsAttached
    options.arguments = CommandLine.arguments
    do {
      if let listen, let upstream {
        options.quickYAML = try QuickConfiguration.yaml(
          listen: listen, upstreams: upstream.split(separator: ",").map(String.init), admin: admin)
      }
      let server = try Server(options)
      server.run()
    } catch {
      Complaint.print("\(error)")
      throw ExitCode(1)
    }
  }
}

/// Errors for a person at a terminal.
enum Complaint {
  static func print(_ text: String) {
    let line = text + "\n"
    _ = write(2, line, line.utf8.count)
  }
}
