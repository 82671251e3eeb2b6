import ArgumentParser
import Server

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read a configuration and print everything that is wrong with it.")

  @Option(name: [.customShort("c"), .customLong("config-path")], help: "Bootstrap file; - reads standard input.")
  var configPath: String

  @Option(help: "YAML that is merged over the file.")
  var configYaml: String?

  func run() throws {
    var options = ServerOptions()
    options.configPath = configPath
    options.configYAML = configYaml
    let report = ConfigurationCheck.run(options)
    for line in report.lines { Complaint.print(line) }
    if report.errorCount > 0 { throw ExitCode(1) }
    print("\(configPath) is good")
  }
}
