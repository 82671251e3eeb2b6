/// A timer that lives inside the object it belongs to.
///
/// Must stay at one address while scheduled. Trivial; the wheel links it.
public struct TimerNode {
  @usableFromInline var previous: UnsafeMutablePointer<TimerNode>?
  @usableFromInline var next: UnsafeMutablePointer<TimerNode>?
  /// Milliseconds of the wheel's clock; meaningful while scheduled.
  public fileprivate(set) var deadline: UInt64 = 0
  /// Says to the owner of the wheel what fired.
  public let kind: UInt8
  @usableFromInline var place: UInt16 = TimerNode.unscheduled
  /// The object around the node.
  public let owner: UnsafeMutableRawPointer

  @usableFromInline static let unscheduled: UInt16 = .max

  public init(kind: UInt8, owner: UnsafeMutableRawPointer) {
    self.kind = kind
    self.owner = owner
  }

  @inlinable
  public var isScheduled: Bool { place != Self.unscheduled }
}

/// A hierarchical timing wheel: schedule, cancel and fire in constant time, one millisecond ticks.
///
/// Six levels of 64 slots reach 2 years; a timer on a higher level moves down as its time comes
/// near. A bit map a level makes "when is the next one" a few instructions.
public struct TimerWheel: ~Copyable {
  public typealias Node = UnsafeMutablePointer<TimerNode>

  private static let levels = 6
  private static let slotsPerLevel = 64
  private static let spanMax: UInt64 = (1 << 36) - 1

  private let slots: UnsafeMutablePointer<Node?>
  private var occupied = InlineArray<6, UInt64>(repeating: 0)
  /// The tick up to which timers have fired.
  public private(set) var now: UInt64
  public private(set) var count = 0

  public init(nowMilliseconds: UInt64) {
    now = nowMilliseconds
    slots = .allocate(capacity: Self.levels * Self.slotsPerLevel)
    slots.initialize(repeating: nil, count: Self.levels * Self.slotsPerLevel)
  }

  deinit { slots.deallocate() }

  /// Schedules, or moves, a timer. A deadline that has passed fires at the next advance.
  public mutating func schedule(_ node: Node, at deadlineMilliseconds: UInt64) {
    if node.pointee.isScheduled { unlink(node) }
    node.pointee.deadline = deadlineMilliseconds
    insert(node)
    count += 1
  }

  public mutating func cancel(_ node: Node) {
    guard node.pointee.isScheduled else { return }
    unlink(node)
  }

  private mutating func insert(_ node: Node) {
    // A timer due now or earlier goes into the next tick.
    let due = max(node.pointee.deadline, now + 1)
    let distance = min(due - now, Self.spanMax)
    let target = now + distance
    // The level is that of the highest digit (base 64) in which target differs from now.
    let difference = target ^ now
    let level = min((63 - difference.leadingZeroBitCount) / 6, Self.levels - 1)
    let slot = Int(target >> UInt64(level * 6)) & 63
    link(node, level: level, slot: slot)
  }

  private mutating func unlink(_ node: Node) {
    let place = Int(node.pointee.place)
    node.pointee.next?.pointee.previous = node.pointee.previous
    if let previous = node.pointee.previous {
      previous.pointee.next = node.pointee.next
    } else {
      slots[place] = node.pointee.next
      if node.pointee.next == nil {
        occupied[place / Self.slotsPerLevel] &= ~(1 << UInt64(place % Self.slotsPerLevel))
      }
    }
    node.pointee.previous = nil
    node.pointee.next = nil
    node.pointee.place = TimerNode.unscheduled
    count -= 1
  }

  /// The tick at which something must be looked at (a timer fires, or moves to a lower level).
  ///
  /// The lowest level that holds anything has it: all that it holds lies before the next slot of the level above, since
  /// a timer's level is that of the first digit in which it differs from `now`.
  public var nextWake: UInt64? {
    for level in 0..<Self.levels where occupied[level] != 0 {
      let shift = UInt64(level * 6)
      let current = Int(now >> shift) & 63
      // Rotate so that the slot after the current one is bit 0.
      let ahead = (current + 1) & 63
      let bits = occupied[level]
      let rotated = ahead == 0 ? bits : bits >> UInt64(ahead) | bits << UInt64(64 - ahead)
      let distance = UInt64(rotated.trailingZeroBitCount + 1)
      return ((now >> shift) + distance) << shift
    }
    return nil
  }

  /// The next timer that is due at `nowMilliseconds`, unscheduled; nil when there is none, and then
  /// the clock stands at `nowMilliseconds`. Between two calls any timer may be scheduled or cancelled.
  public mutating func popDue(nowMilliseconds: UInt64) -> Node? {
    while true {
      if let node = slots[Int(now) & 63] {
        unlink(node)
        return node
      }
      guard let wake = nextWake, wake <= nowMilliseconds else {
        if nowMilliseconds > now { now = nowMilliseconds }
        return nil
      }
      now = wake
      cascade()
    }
  }

  /// Moves what higher levels hold for the current tick down.
  private mutating func cascade() {
    for level in stride(from: Self.levels - 1, through: 1, by: -1) {
      let shift = UInt64(level * 6)
      guard now & ((1 << shift) - 1) == 0 else { continue }
      let place = level * Self.slotsPerLevel + (Int(now >> shift) & 63)
      while let node = slots[place] {
        unlink(node)
        count += 1
        if node.pointee.deadline <= now {
          link(node, level: 0, slot: Int(now) & 63)
        } else {
          insert(node)
        }
      }
    }
  }

  private mutating func link(_ node: Node, level: Int, slot: Int) {
    let place = level * Self.slotsPerLevel + slot
    node.pointee.place = UInt16(place)
    node.pointee.previous = nil
    node.pointee.next = slots[place]
    slots[place]?.pointee.previous = node
    slots[place] = node
    occupied[level] |= 1 << UInt64(slot)
  }
}
