import Primitives
import Reactor
import Testing

struct TimerWheelTests {
  /// Random schedules, moves and cancels against a plain list.
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func firesWhatIsDueInOrder(seed: UInt64) {
    var random = FastRandom(seed: seed)
    var wheel = TimerWheel(nowMilliseconds: 1000 + UInt64(random.below(100_000)))
    var now = wheel.now
    let count = 200
    let nodes = UnsafeMutablePointer<TimerNode>.allocate(capacity: count)
    defer { nodes.deallocate() }
    for i in 0..<count {
      (nodes + i).initialize(to: TimerNode(kind: UInt8(i & 255), owner: nodes + i))
    }
    var deadlines: [Int: UInt64] = [:]
    for _ in 0..<3000 {
      let i = Int(random.below(UInt32(count)))
      switch random.below(4) {
      case 0, 1:
        let reach: [UInt32] = [3, 70, 5000, 300_000, 20_000_000]
        let deadline = now + UInt64(random.below(reach[Int(random.below(5))]))
        wheel.schedule(nodes + i, at: deadline)
        deadlines[i] = deadline
      case 2:
        wheel.cancel(nodes + i)
        deadlines[i] = nil
      default:
        if let wake = wheel.nextWake {
          #expect(wake <= max(now + 1, deadlines.values.min() ?? .max))
          #expect(wake > wheel.now)
        }
        let reach: [UInt32] = [2, 64, 4097, 250_000]
        now += UInt64(random.below(reach[Int(random.below(4))]))
        while let node = wheel.popDue(nowMilliseconds: now) {
          let index = node - nodes
          let deadline = deadlines.removeValue(forKey: index)
          #expect(deadline.map { $0 <= now } ?? false, "fired a timer that was not due")
          #expect(!node.pointee.isScheduled)
        }
        // A deadline at or before the tick of its scheduling fires with the next tick.
        #expect(!deadlines.values.contains { $0 < now }, "a due timer did not fire")
      }
      #expect(wheel.count == deadlines.count)
    }
  }
}
