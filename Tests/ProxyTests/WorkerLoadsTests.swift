import Synchronization
import Testing

@testable import Proxy

/// Which worker takes a connection.
struct WorkerLoadsTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var busy: [UInt64]
    var connections: [Int]
    /// Of these, not yet in the measurement.
    var fresh: [UInt64] = [0, 0, 0, 0]
    /// Nanoseconds since the measurement.
    var age: [UInt64] = [0, 0, 0, 0]
    var off: Set<Int> = []
    let want: Int
  }

  static let rows = [
    Row(testDescription: "nothing anywhere: it stays", busy: [0, 0], connections: [0, 0], want: 0),
    Row(testDescription: "idle workers: by count", busy: [0, 0], connections: [1, 0], want: 1),
    Row(testDescription: "equal counts stay", busy: [0, 0], connections: [4, 4], want: 0),
    Row(testDescription: "the other is busier", busy: [100, 600], connections: [9, 1], want: 0),
    Row(testDescription: "the other is idler, with more connections", busy: [600, 100], connections: [4, 8], want: 1),
    Row(testDescription: "noise does not move a connection", busy: [510, 490], connections: [4, 4], want: 0),
    Row(testDescription: "noise, and a difference in numbers", busy: [510, 490], connections: [5, 4], want: 1),
    Row(testDescription: "among thousands one more is nothing", busy: [500, 500], connections: [4000, 3990], want: 0),
    Row(testDescription: "the least of four", busy: [700, 500, 200, 400], connections: [9, 9, 9, 9], want: 2),
    Row(
      testDescription: "fresh connections count as the average does", busy: [800, 0], connections: [4, 4],
      fresh: [0, 8], want: 0),
    Row(
      testDescription: "some fresh ones do not outweigh the load", busy: [800, 0], connections: [4, 4],
      fresh: [0, 3], want: 1),
    Row(
      testDescription: "a worker that sleeps is not busy", busy: [100, 900], connections: [4, 4],
      age: [0, 1_000_000_000], want: 1),
    Row(testDescription: "one that takes none is passed over", busy: [900, 0], connections: [4, 0], off: [1], want: 0),
  ]

  @Test(arguments: rows)
  func chooses(_ row: Row) {
    let loads = WorkerLoads(workerCount: row.busy.count)
    let now: UInt64 = 10_000_000_000
    for index in row.busy.indices {
      let target = loads.view.rows + index
      target.pointee.ring.store(row.off.contains(index) ? -1 : Int32(index), ordering: .relaxed)
      target.pointee.busyPermille.store(row.busy[index], ordering: .relaxed)
      target.pointee.measuredAt.store(now - row.age[index], ordering: .relaxed)
      target.pointee.connections.store(row.connections[index], ordering: .relaxed)
      target.pointee.given.store(row.fresh[index], ordering: .relaxed)
    }
    #expect(loads.view.choose(for: 0, now: now) == row.want)
  }

  /// A burst is spread although nothing has been measured meanwhile.
  @Test(arguments: [2, 3, 8]) func aBurstIsSpreadEvenly(_ workers: Int) {
    let loads = WorkerLoads(workerCount: workers)
    for index in 0..<workers { loads.view.rows[index].ring.store(Int32(index), ordering: .relaxed) }
    for _ in 0..<workers * 4 { loads.view.give(to: loads.view.choose(for: 0, now: 1)) }
    for index in 0..<workers {
      #expect(loads.view.rows[index].connections.load(ordering: .relaxed) == 4)
    }
  }

  @Test func theMeterSmoothsAndForgetsAfterSleep() {
    let loads = WorkerLoads(workerCount: 1)
    let row = loads.view.rows
    var meter = LoadMeter(now: 0, cpu: 0)
    #expect(!meter.isDue(49_999_999))
    #expect(meter.isDue(50_000_000))
    meter.measure(now: 50_000_000, cpu: 40_000_000, into: row)
    #expect(row.pointee.busyPermille.load(ordering: .relaxed) == 400)
    meter.measure(now: 100_000_000, cpu: 90_000_000, into: row)
    #expect(row.pointee.busyPermille.load(ordering: .relaxed) == 700)
    meter.measure(now: 1_100_000_000, cpu: 190_000_000, into: row)
    #expect(row.pointee.busyPermille.load(ordering: .relaxed) == 100)
  }

  /// Given before one measurement and after the one before: they still count as fresh.
  @Test func whatWasGivenShowsAfterAWholeInterval() {
    let loads = WorkerLoads(workerCount: 1)
    let row = loads.view.rows
    var meter = LoadMeter(now: 0, cpu: 0)
    loads.view.give(to: 0)
    meter.measure(now: 50_000_000, cpu: 0, into: row)
    #expect(row.pointee.measured.load(ordering: .relaxed) == 0)
    meter.measure(now: 100_000_000, cpu: 0, into: row)
    #expect(row.pointee.measured.load(ordering: .relaxed) == 1)
  }
}
