/// A free list of objects of one kind: steady state allocates nothing.
struct Pool<Element>: ~Copyable {
  private var free: [UnsafeMutablePointer<Element>] = []
  private(set) var lentCount = 0
  private let freeMax = 1024

  init() {}

  deinit {
    for object in free { object.deallocate() }
  }

  /// Uninitialised memory for one object.
  mutating func take() -> UnsafeMutablePointer<Element> {
    lentCount += 1
    return free.popLast() ?? .allocate(capacity: 1)
  }

  /// Takes back memory whose content is over.
  mutating func give(_ object: UnsafeMutablePointer<Element>) {
    lentCount -= 1
    if free.count < freeMax {
      free.append(object)
    } else {
      object.deallocate()
    }
  }
}
