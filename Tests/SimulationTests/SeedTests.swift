import Simulation
import Testing

struct SeedTests {
  @Test func oneSeedIsOneRun() {
    let first = Simulation.run(seed: 1)
    let second = Simulation.run(seed: 1)
    #expect(first.hash == second.hash)
  }
}
