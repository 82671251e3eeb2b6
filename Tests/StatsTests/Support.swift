@testable import Stats

func makeRegistry(
  slabs: Int = 2, _ change: (inout StatsRegistry.Options) -> Void = { _ in }
) throws -> StatsRegistry {
  var options = StatsRegistry.Options(slabBytes: 64 << 20)
  change(&options)
  return try StatsRegistry(slabCount: slabs, options: options)
}

extension StatsRegistry {
  /// The metric of a name, which must be unique over the kinds.
  func find(_ name: String) -> Metric? { metrics.first { $0.name == name } }

  func value(_ name: String) -> UInt64? { find(name).map { value(of: $0) } }

  func printed(_ options: StatsPrinter.Options = .init(), budgetBytes: Int = 1 << 20) -> String {
    var printer = StatsPrinter(registry: self, options: options)
    var output: [UInt8] = []
    while printer.next(into: &output, budgetBytes: budgetBytes) {}
    return String(decoding: output, as: UTF8.self)
  }
}

/// A small generator with a seed, so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
