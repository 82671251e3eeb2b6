import ArgumentParser
import Server

struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say which way a request would take through a configuration, and why not another.",
    discussion: "Exits with 0 when a host would take the request or the proxy answers it as it is told to, with 2 when not, with 1 for a bad configuration.")

  @Option(name: [.customShort("c"), .customLong("config-path")], help: "Bootstrap file; - reads standard input.")
  var configPath: String

  @Option(help: "YAML that is merged over the file.")
  var configYaml: String?

  @Option(name: [.customShort("H"), .customLong("header")], help: "A header of the request: NAME: VALUE. May be given more than once.")
  var headers: [String] = []

  @Option(help: "Address of the client (127.0.0.1).")
  var source: String?

  @Option(help: "Name that the client asks for in its TLS handshake; the URL's host unless given.")
  var sni: String?

  @Option(help: "Name of the listener; found by the URL's port unless given.")
  var listener: String?

  @Option(help: "The number that decides where the proxy would draw one: weighted clusters, fractions.")
  var random: UInt64 = 0

  @Option(help: "The proxy's zone, as for run.")
  var serviceZone: String?

  @Option(help: "text or json.")
  var format: Format = .text

  @Argument(help: "GET, POST...")
  var method: String

  @Argument(help: "http://HOST[:PORT]/PATH or https://...")
  var url: String

  enum Format: String, ExpressibleByArgument { case text, json }

  func run() throws {
    var options = ServerOptions()
    options.configPath = configPath
    options.configYAML = configYaml
    options.serviceZone = serviceZone ?? ""
    let request: ExplainedRequest
    do {
      var wanted = try ExplainedRequest(method: method, url: url)
      for header in headers { try wanted.addHeader(header) }
      if let source { try wanted.setSource(source) }
      wanted.serverName = sni
      wanted.listener = listener
      wanted.random = random
      request = wanted
    } catch {
      Complaint.print("\(error)")
      throw ExitCode(1)
    }
    switch ConfigurationExplanation.run(options, request) {
    case .refused(let lines):
      for line in lines { Complaint.print(line) }
      throw ExitCode(1)
    case .explained(let explanation):
      print(format == .json ? explanation.jsonText : explanation.text, terminator: "")
      if !explanation.isServed { throw ExitCode(2) }
    }
  }
}
