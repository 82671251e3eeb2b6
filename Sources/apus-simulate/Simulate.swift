import ArgumentParser
import Glibc
import Simulation

/// Replays seeds of the simulator.
@main
struct Simulate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apus-simulate",
    abstract: "Runs the proxy's data plane in a simulated world, one run a seed.")

  @Option(help: "One seed.")
  var seed: UInt64?

  @Option(help: "Play a scenario, and print what came of it: \(Scenario.names.joined(separator: ", ")).")
  var scenario: String?

  @Option(help: "A range of seeds, as 1..2000.")
  var seeds: String?

  @Flag(help: "Print everything that happens.")
  var trace = false

  @Flag(help: "Print how often every fault and feature was exercised; fail when one never was.")
  var coverage = false

  @Option(
    help:
      "Plant a known bug: \(Plant.names.joined(separator: ", ")). Debug builds only: \(Plant.namesOfDebugBuilds.joined(separator: ", ")).")
  var plant: String?

  func run() throws {
    let planted = try plant.map { name in
      guard let plant = Plant(name) else {
        throw ValidationError(
          Plant.namesOfDebugBuilds.contains(name)
            ? "\(name) is in debug builds only: swift run apus-simulate --plant \(name)"
            : "no such bug: \(name); there are \(Plant.names.joined(separator: ", "))")
      }
      return plant
    }
    if let scenario { return try play(scenario, planted) }
    let range = try range()
    var failed = 0
    var total = Coverage()
    for seed in range {
      let outcome = Simulation.run(
        seed: seed, plant: planted, print: trace ? { print($0) } : nil)
      if range.count == 1 {
        print(
          "seed \(seed): \(outcome.answerCount) answers, \(outcome.turnCount) turns,"
            + " \(outcome.eventCount) events, hash \(String(outcome.hash, radix: 16))"
            + (outcome.isCalm ? ", calm" : ""))
      }
      total.add(outcome.coverage)
      guard !outcome.violations.isEmpty else { continue }
      failed += 1
      print(outcome.description)
      fflush(nil)
    }
    print("\(range.count) seeds, \(failed) failed")
    if coverage {
      for row in total.rows { print("  \(row.name): \(row.count)") }
      if !total.missing.isEmpty {
        print("never exercised: \(total.missing.joined(separator: ", "))")
        throw ExitCode.failure
      }
    }
    if failed > 0 { throw ExitCode.failure }
  }

  private func play(_ name: String, _ plant: Plant?) throws {
    guard let scenario = Scenario(named: name) else {
      throw ValidationError("no such scenario: \(name); there are \(Scenario.names.joined(separator: ", "))")
    }
    let result = scenario.run(seed: seed ?? 1, plant: plant, print: trace ? { print($0) } : nil)
    print(result.table)
    for violation in result.violations { print(violation) }
    if !result.violations.isEmpty { throw ExitCode.failure }
  }

  private func range() throws -> ClosedRange<UInt64> {
    if let seed { return seed...seed }
    guard let seeds else { return 1...100 }
    let parts = seeds.split(separator: "..").compactMap { UInt64($0) }
    guard parts.count == 2, parts[0] <= parts[1] else {
      throw ValidationError("--seeds takes FIRST..LAST")
    }
    return parts[0]...parts[1]
  }
}
