import Simulation
import Testing

/// The checks have teeth: known bugs are found within a few seeds.
struct PlantTests {
  private static let seedsMax: UInt64 = 30

  @Test(arguments: Plant.names)
  func aPlantedBugIsFound(_ name: String) throws {
    let plant = try #require(Plant(name))
    for seed in 1...Self.seedsMax {
      let outcome = Simulation.run(seed: seed, plant: plant)
      guard !outcome.violations.isEmpty else { continue }
      #expect(Simulation.run(seed: seed).violations.isEmpty, "seed \(seed) fails without the bug too")
      return
    }
    Issue.record("\(name) was not found in \(Self.seedsMax) seeds")
  }
}
