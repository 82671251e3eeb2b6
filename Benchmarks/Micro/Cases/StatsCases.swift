import Primitives
import Stats

let statsCases: [MicroCase] = [
  MicroCase("counter-add") {
    let registry = try makeRegistry()
    let counter = registry.counter("c")
    return counting(registry) { slab, number in slab.add(counter, number & 1) }
  },
  MicroCase("gauge-up-and-down") {
    let registry = try makeRegistry()
    let gauge = registry.gauge("g")
    return counting(registry) { slab, _ in
      slab.increment(gauge)
      slab.decrement(gauge)
    }
  },
  MicroCase("histogram-record") {
    let registry = try makeRegistry()
    let histogram = registry.histogram("h")
    return counting(registry) { slab, number in slab.record(histogram, number & 0xFFFF) }
  },
  MicroCase("response-code-count") {
    let registry = try makeRegistry()
    let codes = registry.codeFamily("f")
    return counting(registry) { slab, number in
      slab.increment(codes, code: number & 1 == 0 ? 200 : 404)
    }
  },
]

private func makeRegistry() throws -> StatsRegistry {
  try StatsRegistry(slabCount: 2, options: .init(slabBytes: 1 << 20))
}

@inline(__always)
private func counting(
  _ registry: StatsRegistry, _ record: @escaping (StatsSlab, UInt64) -> Void
) -> (Int) -> UInt64 {
  { count in
    let slab = registry.slabs[1]
    var random = FastRandom(seed: 1)
    var digest = Digest()
    for _ in 0..<count {
      let number = random.next()
      record(slab, number)
      digest.add(number)
    }
    for metric in registry.metrics { digest.add(registry.total(of: metric)) }
    return digest.value
  }
}
