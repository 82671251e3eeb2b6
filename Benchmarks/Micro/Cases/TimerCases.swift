import Reactor

let timerCases: [MicroCase] = [
  MicroCase("timer-schedule-and-cancel") { scheduling() },
  MicroCase("timer-move") { moving() },
  MicroCase("timer-fire") { firing() },
]

private func makeNodes(_ count: Int) -> UnsafeMutablePointer<TimerNode> {
  let nodes = UnsafeMutablePointer<TimerNode>.allocate(capacity: count)
  for i in 0..<count { (nodes + i).initialize(to: TimerNode(kind: 0, owner: nodes + i)) }
  return nodes
}

/// A timeout that is set and never reached.
private func scheduling() -> (Int) -> UInt64 {
  let nodes = makeNodes(64)
  return { count in
    var wheel = TimerWheel(nowMilliseconds: 1000)
    var digest = Digest()
    for i in 0..<count {
      let node = nodes + (i & 63)
      wheel.schedule(node, at: wheel.now + 15_000)
      digest.add(wheel.count)
      wheel.cancel(node)
    }
    return digest.value
  }
}

/// A timer that goes on and on: an idle timeout.
private func moving() -> (Int) -> UInt64 {
  let nodes = makeNodes(64)
  return { count in
    var wheel = TimerWheel(nowMilliseconds: 1000)
    for i in 0..<64 { wheel.schedule(nodes + i, at: 1000 + UInt64(i)) }
    var digest = Digest()
    for i in 0..<count {
      wheel.schedule(nodes + (i & 63), at: 300_000 + UInt64(i))
      digest.add(wheel.count)
    }
    for i in 0..<64 { wheel.cancel(nodes + i) }
    return digest.value
  }
}

/// Timers 5 seconds ahead, one a millisecond: each passes through two levels and fires.
private func firing() -> (Int) -> UInt64 {
  let nodes = makeNodes(5000)
  return { count in
    var wheel = TimerWheel(nowMilliseconds: 0)
    for i in 0..<5000 { wheel.schedule(nodes + i, at: UInt64(i + 1)) }
    var digest = Digest()
    var now: UInt64 = 0
    for _ in 0..<count {
      now += 1
      while let node = wheel.popDue(nowMilliseconds: now) {
        digest.add(node.pointee.deadline)
        wheel.schedule(node, at: now + 5000)
      }
    }
    for i in 0..<5000 { wheel.cancel(nodes + i) }
    return digest.value
  }
}
