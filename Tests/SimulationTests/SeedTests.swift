import Simulation
import Testing

/// Seeds that must pass. More of them: `swift run apus-simulate --seeds 1..20000`.
struct SeedTests {
  private static let seedsPerTest: UInt64 = 100

  @Test(arguments: UInt64(0)..<20)
  func everySeedPasses(_ hundred: UInt64) {
    for seed in hundred * Self.seedsPerTest + 1...(hundred + 1) * Self.seedsPerTest {
      let outcome = Simulation.run(seed: seed)
      #expect(outcome.violations.isEmpty, "\(outcome.description)")
    }
  }

  /// The hash covers every completion, every byte that a peer saw or sent, every log record and the
  /// final statistics.
  @Test(arguments: UInt64(1)...20)
  func oneSeedIsOneRun(_ seed: UInt64) {
    let first = Simulation.run(seed: seed)
    let second = Simulation.run(seed: seed)
    #expect(first.hash == second.hash)
    #expect(first.eventCount == second.eventCount)
  }
}
