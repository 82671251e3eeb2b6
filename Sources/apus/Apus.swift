import ArgumentParser
import Server

@main
struct Apus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apus",
    abstract: "A service proxy: bytes in, filters, a healthy host, bytes out.",
    version: ApusVersion.text,
    subcommands: [Run.self, Check.self, Explain.self, Version.self])
}

struct Version: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Print the version.")

  func run() { print(ApusVersion.text) }
}
