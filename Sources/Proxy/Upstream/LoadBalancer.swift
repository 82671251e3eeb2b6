import Primitives

/// Chooses among a cluster's eligible hosts: a pure function of the snapshot's weights and of this
/// small state, which is the worker's own.
package struct LoadBalancer {
  private var cursor: UInt32 = 0
  private var hasStarted = false
  private var schedule: EarliestDeadlineSchedule?

  package init() {}

  /// An index into the cluster's `hosts`, or nil when none is eligible.
  package mutating func choose(
    _ cluster: UnsafeMutablePointer<ClusterConfig>, _ random: inout FastRandom
  ) -> Int? {
    let eligible = cluster.pointee.eligible.buffer
    guard !eligible.isEmpty else { return nil }
    let count = UInt32(eligible.count)
    switch cluster.pointee.loadBalancing {
    case .random:
      return Int(eligible[Int(random.below(count))])
    case .roundRobin:
      if cluster.pointee.hasEqualWeights {
        if !hasStarted {
          // Workers start at different hosts, so that few requests do not pile up on the first.
          cursor = random.below(count)
          hasStarted = true
        }
        if cursor >= count { cursor = 0 }
        let index = cursor
        cursor += 1
        return Int(eligible[Int(index)])
      }
      if schedule == nil {
        schedule = EarliestDeadlineSchedule(
          weights: eligible.map { cluster.pointee.hosts.buffer[Int($0)].pointer.pointee.weight },
          skip: random.below(count))
      }
      return schedule?.next().map { Int(eligible[$0]) }
    }
  }

  /// The cluster's hosts or weights have changed.
  mutating func reset() {
    schedule = nil
  }
}

/// Weighted round robin by earliest deadline first: whoever is chosen comes again after 1/weight.
/// Ties go to whoever entered first, so equal weights give plain round robin.
struct EarliestDeadlineSchedule {
  private struct Entry {
    var deadline: Double
    var order: UInt64
    let index: Int
    let weight: Double

    static func < (a: Entry, b: Entry) -> Bool {
      a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order
    }
  }

  private var heap: [Entry] = []
  private var order: UInt64 = 0

  /// - Parameter skip: Picks to discard, so that schedules of several workers differ.
  init(weights: [UInt32], skip: UInt32) {
    for (index, weight) in weights.enumerated() {
      let weight = Double(max(1, weight))
      heap.append(Entry(deadline: 1 / weight, order: order, index: index, weight: weight))
      order += 1
    }
    for parent in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sift(parent) }
    for _ in 0..<skip { _ = next() }
  }

  /// The index of the next weight.
  mutating func next() -> Int? {
    guard let first = heap.first else { return nil }
    heap[0].deadline = first.deadline + 1 / first.weight
    heap[0].order = order
    order &+= 1
    sift(0)
    return first.index
  }

  private mutating func sift(_ start: Int) {
    var parent = start
    while true {
      var child = parent * 2 + 1
      guard child < heap.count else { return }
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      guard heap[child] < heap[parent] else { return }
      heap.swapAt(child, parent)
      parent = child
    }
  }
}
