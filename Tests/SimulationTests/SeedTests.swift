import Simulation
import Testing

/// Seeds that must pass with every assertion on. tools/test runs two thousand more in the release
/// build; by hand: `apus-simulate --seeds 1..20000`.
struct SeedTests {
  /// Half of the seeds each, so that two run at a time.
  private static let halves: [ClosedRange<UInt64>] = [1...100, 101...200]

  /// Together the seeds exercise everything that the simulation can do.
  @Test func everySeedPassesAndEverythingIsExercised() async {
    let coverage = await withTaskGroup(of: Coverage.self) { group in
      for seeds in Self.halves {
        group.addTask {
          var coverage = Coverage()
          for seed in seeds {
            let outcome = Simulation.run(seed: seed)
            #expect(outcome.violations.isEmpty, "\(outcome.description)")
            coverage.add(outcome.coverage)
          }
          return coverage
        }
      }
      return await group.reduce(into: Coverage()) { $0.add($1) }
    }
    #expect(coverage.missingFeatures.isEmpty, "never exercised in 200 seeds")
  }

  /// The hash covers every completion, every byte that a peer saw or sent, every log record and the
  /// final statistics.
  @Test(arguments: UInt64(1)...10)
  func oneSeedIsOneRun(_ seed: UInt64) {
    let first = Simulation.run(seed: seed)
    let second = Simulation.run(seed: seed)
    #expect(first.hash == second.hash)
    #expect(first.eventCount == second.eventCount)
  }
}
