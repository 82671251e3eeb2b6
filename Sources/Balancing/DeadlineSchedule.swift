/// Weighted turns by earliest deadline first: whoever is picked is due again 1/weight later. Ties go
/// to whoever entered first, so equal weights give plain round robin.
///
/// One worker's state of one list of hosts (or of localities). Members are indices, kept apart in
/// ``MemberBits``: those that leave are dropped when they come up, those that come are entered by
/// ``repair(_:weight:)``, so that a change of health moves nobody else's turn.
///
/// Source: Envoy `edf_scheduler.h`. A pick allocates nothing and costs O(log members).
@frozen
public struct DeadlineSchedule: ~Copyable {
  @usableFromInline
  struct Entry {
    @usableFromInline var deadline: Double
    @usableFromInline var order: UInt64
    @usableFromInline let index: UInt32

    @inlinable
    init(deadline: Double, order: UInt64, index: UInt32) {
      self.deadline = deadline
      self.order = order
      self.index = index
    }

    @inlinable @inline(__always)
    static func < (a: Entry, b: Entry) -> Bool {
      a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order
    }
  }

  @usableFromInline var heap: UnsafeMutablePointer<Entry>
  @usableFromInline var count = 0
  @usableFromInline var capacity: Int
  /// A bit an index that has an entry, whether it is a member still or not: who leaves and returns
  /// between two turns keeps the one entry.
  @usableFromInline var entered: UnsafeMutablePointer<UInt64>
  @usableFromInline var wordCount: Int
  /// Deadline of the last pick.
  @usableFromInline var now = 0.0
  @usableFromInline var order: UInt64 = 0
  @usableFromInline var picksSinceRebase = 0

  /// - Parameters:
  ///   - skipped: Picks to leave out, so that schedules of several workers start apart
  ///     (``WorkerStart``).
  ///   - weight: Of an index, above 0; read again at every pick.
  @inlinable
  public init(_ members: MemberBits, skipping skipped: UInt32 = 0, weight: (UInt32) -> Double) {
    capacity = 0
    heap = .allocate(capacity: 0)
    wordCount = 0
    entered = .allocate(capacity: 0)
    reserve(members)
    enter(members, weight: weight)
    heapify()
    for _ in 0..<skipped { _ = next(members, weight: weight) }
  }

  @inlinable
  deinit {
    heap.deallocate()
    entered.deallocate()
  }

  /// Whose turn it is; nil without members.
  @inlinable
  public mutating func next(_ members: MemberBits, weight: (UInt32) -> Double) -> UInt32? {
    while count > 0 {
      let first = heap[0]
      guard members.contains(first.index) else {
        drop(first.index)
        continue
      }
      now = first.deadline
      heap[0].deadline = now + Self.interval(weight(first.index))
      heap[0].order = order
      order &+= 1
      sift(0)
      picksSinceRebase &+= 1
      if now > Self.rebaseAt, picksSinceRebase >= count { rebase() }
      return first.index
    }
    return nil
  }

  /// Members have changed: who came is due 1/weight from now, after whoever is due then already.
  /// May allocate; O(index count / 64 + log members for each that came).
  @inlinable
  public mutating func repair(_ members: MemberBits, weight: (UInt32) -> Double) {
    reserve(members)
    let old = count
    enter(members, weight: weight)
    for index in old..<count { rise(index) }
  }

  /// Time from one turn to the next. The bound keeps a schedule going whatever a weight computes to:
  /// 0 or not a number.
  @inlinable @inline(__always)
  static func interval(_ weight: Double) -> Double {
    weight > 1e-9 ? 1 / weight : 1e9
  }

  /// Time that is worth a pass over all entries to begin anew: doubles near it still tell
  /// deadlines of heavy hosts apart.
  @inlinable static var rebaseAt: Double { 65536 }

  @inlinable
  mutating func rebase() {
    for index in 0..<count { heap[index].deadline -= now }
    now = 0
    picksSinceRebase = 0
    // Two deadlines may have been rounded to one, which puts them in order of entry.
    heapify()
  }

  /// Room for all members, in heap and bits.
  @inlinable
  mutating func reserve(_ members: MemberBits) {
    if members.wordCount > wordCount {
      let grown = UnsafeMutablePointer<UInt64>.allocate(capacity: members.wordCount)
      grown.initialize(repeating: 0, count: members.wordCount)
      grown.update(from: entered, count: wordCount)
      entered.deallocate()
      entered = grown
      wordCount = members.wordCount
    }
    var needed = count
    for word in 0..<members.wordCount {
      needed += (members.words[word] & ~entered[word]).nonzeroBitCount
    }
    guard needed > capacity else { return }
    let grown = UnsafeMutablePointer<Entry>.allocate(capacity: needed)
    grown.moveInitialize(from: heap, count: count)
    heap.deallocate()
    heap = grown
    capacity = needed
  }

  /// Appends members without an entry, due 1/weight from now; the heap's order is the caller's to
  /// restore.
  @inlinable
  mutating func enter(_ members: MemberBits, weight: (UInt32) -> Double) {
    for word in 0..<members.wordCount {
      var came = members.words[word] & ~entered[word]
      entered[word] |= came
      while came != 0 {
        let index = UInt32(truncatingIfNeeded: word << 6 | came.trailingZeroBitCount)
        came &= came &- 1
        let deadline = now + Self.interval(weight(index))
        (heap + count).initialize(to: Entry(deadline: deadline, order: order, index: index))
        order &+= 1
        count += 1
      }
    }
  }

  /// Takes the first entry, which is `index`'s, out.
  @inlinable
  mutating func drop(_ index: UInt32) {
    entered[Int(index >> 6)] &= ~(1 << UInt64(index & 63))
    count -= 1
    heap[0] = heap[count]
    sift(0)
  }

  @inlinable
  mutating func heapify() {
    for parent in stride(from: count / 2 - 1, through: 0, by: -1) { sift(parent) }
  }

  /// Moves an entry that is due later than it was down to its place.
  @inlinable
  mutating func sift(_ start: Int) {
    guard start < count else { return }
    let moved = heap[start]
    var hole = start
    while true {
      var child = hole &* 2 &+ 1
      guard child < count else { break }
      if child &+ 1 < count, heap[child &+ 1] < heap[child] { child &+= 1 }
      guard heap[child] < moved else { break }
      heap[hole] = heap[child]
      hole = child
    }
    heap[hole] = moved
  }

  /// Moves a new entry up to its place.
  @inlinable
  mutating func rise(_ start: Int) {
    let moved = heap[start]
    var hole = start
    while hole > 0 {
      let parent = (hole &- 1) / 2
      guard moved < heap[parent] else { break }
      heap[hole] = heap[parent]
      hole = parent
    }
    heap[hole] = moved
  }
}
