import Simulation
import Testing

/// Seeds that must pass with every assertion on. tools/test runs two thousand more in the release
/// build; by hand: `apus-simulate --seeds 1..20000`.
struct SeedTests {
  private static let seedsPerTest: UInt64 = 10

  @Test(arguments: UInt64(0)..<20)
  func everySeedPasses(_ ten: UInt64) {
    for seed in ten * Self.seedsPerTest + 1...(ten + 1) * Self.seedsPerTest {
      let outcome = Simulation.run(seed: seed)
      #expect(outcome.violations.isEmpty, "\(outcome.description)")
    }
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
