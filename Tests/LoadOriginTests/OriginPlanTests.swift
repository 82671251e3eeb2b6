import LoadBase
import Primitives
import Testing

@testable import LoadOrigin

private let millisecond = 1e6

private func draws(_ text: String, _ count: Int = 100_000) throws -> [Double] {
  let delay = try DelayDistribution(text)
  var random = FastRandom(seed: 3)
  return (0..<count).map { _ in Double(delay.draw(&random)) / millisecond }
}

private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

private func deviation(_ values: [Double]) -> Double {
  let mean = mean(values)
  return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
}

@Suite struct DelayDistributionTests {
  // With 100,000 draws 2 % are more than five standard errors of each figure below.
  @Test func uniform() throws {
    let values = try draws("uniform:1ms-21ms")
    #expect(values.allSatisfy { (1...21).contains($0) })
    #expect(abs(mean(values) - 11) < 0.22 && abs(deviation(values) - 20 / 12.0.squareRoot()) < 0.12)
  }

  @Test func exponential() throws {
    let values = try draws("exponential:10ms")
    #expect(abs(mean(values) - 10) < 0.2 && abs(deviation(values) - 10) < 0.3)
  }

  @Test func normal() throws {
    let values = try draws("normal:10ms,2ms")
    #expect(abs(mean(values) - 10) < 0.04 && abs(deviation(values) - 2) < 0.04)
    #expect(try draws("normal:1ms,5ms").min() == 0)
  }

  @Test func pareto() throws {
    let values = try draws("pareto:1ms,3").sorted()
    #expect(values[0] >= 1)
    // The median is least * 2^(1/shape).
    #expect(abs(values[50_000] - 1.2599) < 0.02)
    #expect(try draws("pareto:1ms,0.1").max() == Double(DelayDistribution.longest) / millisecond)
  }

  @Test func fixed() throws {
    #expect(try DelayDistribution("10ms") == .fixed(10_000_000))
    #expect(try DelayDistribution("0") == .none)
  }

  @Test(arguments: ["", "x", "uniform:5ms-1ms", "uniform:1ms,2ms", "normal:1ms", "pareto:1ms,0", "2h", "gamma:1ms"])
  func mistakes(text: String) {
    #expect { try DelayDistribution(text) } throws: {
      $0 is UsageError && "\($0)".hasPrefix("--delay") && !"\($0)".contains("\n")
    }
  }
}

@Suite struct OriginFaultTests {
  @Test func lists() throws {
    #expect(
      try OriginFault.list("1%:503,reset:0.1%,0.5:silence,close:2%") == [
        OriginFault(fraction: 0.01, kind: .status(503)), OriginFault(fraction: 0.001, kind: .reset),
        OriginFault(fraction: 0.5, kind: .silence), OriginFault(fraction: 0.02, kind: .close),
      ])
  }

  @Test(arguments: ["", "503", "1%", "1%:", "1%:boom", "1%:99", "60%:503,50%:reset", "x%:503"])
  func mistakes(text: String) {
    #expect { try OriginFault.list(text) } throws: { $0 is UsageError && "\($0)".hasPrefix("--errors") }
  }
}

@Suite struct DueQueueTests {
  @Test func soonestFirst() {
    var queue = DueQueue()
    var random = FastRandom(seed: 9)
    let connection = OriginRef.allocate(capacity: 1)
    defer { connection.deallocate() }
    let times = (0..<2000).map { _ in UInt64(random.below(500)) }
    for (number, time) in times.enumerated() {
      queue.insert(DueQueue.Entry(due: time, connection: connection, serial: UInt32(number)))
    }
    #expect(queue.next == times.min())
    #expect(queue.popDue(0)?.due ?? 0 == 0)
    var popped: [UInt64] = []
    while let entry = queue.popDue(250) { popped.append(entry.due) }
    #expect(popped == popped.sorted() && popped.allSatisfy { $0 <= 250 })
    #expect(queue.next.map { $0 > 250 } == true)
    while let entry = queue.popDue(.max) { popped.append(entry.due) }
    #expect(popped.count >= times.count - 1 && queue.count == 0)
  }
}
