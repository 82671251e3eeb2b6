import TLSHarness

/// Runs a whole worker in a simulated world.
public enum Simulation {
  /// What came of one seed.
  public struct Outcome: Sendable {
    public let seed: UInt64
    /// Of every completion, every byte that a peer saw, and the final statistics.
    public let hash: UInt64
    public let eventCount: Int
    public let violations: [Violation]
    public let answerCount: Int
    public let turnCount: Int
    /// Whether the run was one without faults that may fail a request.
    public let isCalm: Bool
    /// What happened, how often.
    public let coverage: Coverage

    /// The command that shows the run again.
    public var replayCommand: String { "swift run apus-simulate --seed \(seed) --trace" }

    public var description: String {
      violations.map { "seed \(seed) \($0)" }.joined(separator: "\n") + "\nreplay: \(replayCommand)"
    }
  }

  /// - Parameters:
  ///   - plant: A known bug to plant.
  ///   - print: Takes the readable trace, a line at a time.
  public static func run(
    seed: UInt64, plant: Plant? = nil, print: ((String) -> Void)? = nil
  ) -> Outcome {
    let isOver = CrashNote.begin(seed)
    defer { isOver() }
    SeededRandomness.begin(seed: seed)
    defer { SeededRandomness.end() }
    do {
      let world = try World(seed: seed, plant: plant, print: print)
      world.run()
      let outcome = Outcome(
        seed: seed, hash: world.trace.hash, eventCount: world.trace.eventCount,
        violations: world.foundViolations, answerCount: world.answerCount,
        turnCount: world.kernel.enterCount, isCalm: world.isCalm,
        coverage: world.network.coverage.coverage)
      world.dispose()
      return outcome
    } catch {
      return Outcome(
        seed: seed, hash: 0, eventCount: 0,
        violations: [Violation(time: 0, text: "the world does not start: \(error)")], answerCount: 0,
        turnCount: 0, isCalm: true, coverage: Coverage())
    }
  }
}
