import Balancing
import Primitives

/// What one choice of a host is to heed beside the hosts' state.
package struct HostWish {
  /// Decides the level, and the host where the policy hashes; nil: a random number.
  package var hash: UInt64?
  /// 0, then 1... when the one before was refused.
  package var attempt: UInt32 = 0

  package init(hash: UInt64? = nil) { self.hash = hash }
}

/// What became of a choice, in one word: the request path looks at it once when all is well.
package struct HostChoice: Equatable {
  package let raw: UInt32
  private static let noneBit: UInt32 = 1 << 31
  private static let panicBit: UInt32 = 1 << 30

  /// - Parameter host: Index into the set's hosts, below 2^30; -1: nobody.
  @inline(__always)
  init(_ host: Int32, isPanic: Bool = false) {
    raw = (host < 0 ? Self.noneBit : UInt32(bitPattern: host)) | (isPanic ? Self.panicBit : 0)
  }

  /// - Parameter member: Of a set's `members`.
  @inline(__always)
  init(member: UInt32) { raw = member }

  /// Somebody was chosen, and nothing is to be counted.
  @inline(__always)
  var isPlain: Bool { raw < Self.panicBit }

  /// The level was in panic.
  package var isPanic: Bool { raw & Self.panicBit != 0 }

  /// Index into the set's hosts; -1: nobody.
  package var host: Int32 {
    raw & Self.noneBit != 0 ? -1 : Int32(bitPattern: raw & ~Self.panicBit)
  }

  /// The same when it ``isPlain``.
  @inline(__always)
  var plainHost: Int32 { Int32(bitPattern: raw) }

  func panicking() -> HostChoice { HostChoice(host, isPanic: true) }
}

/// A worker's turns among the hosts of one cluster. They stay when health changes.
package struct BalancerState {
  /// One list's: made when it is first picked from.
  private struct ListState {
    var turns = RoundRobin.unstarted
    var schedule: UnsafeMutablePointer<DeadlineSchedule>?

    mutating func dropSchedule() {
      schedule?.deinitialize(count: 1)
      schedule?.deallocate()
      schedule = nil
    }
  }

  /// By number of the set's lists; nil before the first pick.
  private var states: UnsafeMutablePointer<ListState>?
  private var count = 0

  package init() {}

  /// A host of the set. O(1) of equal weights, O(log hosts) of others.
  ///
  /// Source: Envoy `load_balancer_impl.cc` (`choosePriority`, `hostSourceToUse`).
  package mutating func choose(
    _ set: UnsafeMutablePointer<HostSet>, _ random: inout FastRandom, _ wish: HostWish = HostWish()
  ) -> HostChoice {
    let only = Int(set.pointee.only)
    if only >= 0 {
      let list = set.pointee.lists.buffer.baseAddress.unsafelyUnwrapped + only
      // What nearly all choices are, without a call.
      if list.pointee.kind == .turns, let states,
        let position = (states + only).pointee.turns.advance(count: list.pointee.count)
      {
        return HostChoice(member: member(set, list, position))
      }
      if list.pointee.kind == .random {
        return HostChoice(member: member(set, list, RandomPick.pick(count: list.pointee.count, &random)))
      }
      return pick(set, only, &random)
    }
    return chooseByLevel(set, &random, wish)
  }

  @inline(never)
  private mutating func chooseByLevel(
    _ set: UnsafeMutablePointer<HostSet>, _ random: inout FastRandom, _ wish: HostWish
  ) -> HostChoice {
    let steps = UnsafeBufferPointer(set.pointee.steps.buffer)
    let step = LoadStep.choose(steps, wish.hash ?? random.next())
    let level = set.pointee.levels.buffer.baseAddress.unsafelyUnwrapped + Int(step.level)
    if level.pointee.share.isPanic {
      return level.pointee.share.fails
        ? HostChoice(-1, isPanic: true) : pick(set, Int(level.pointee.all), &random).panicking()
    }
    return pick(set, Int(step.isDegraded ? level.pointee.degraded : level.pointee.healthy), &random)
  }

  /// Whose turn it is in a list.
  @inline(never)
  private mutating func pick(
    _ set: UnsafeMutablePointer<HostSet>, _ number: Int, _ random: inout FastRandom
  ) -> HostChoice {
    let list = set.pointee.lists.buffer.baseAddress.unsafelyUnwrapped + number
    let count = list.pointee.count
    guard count > 0 else { return HostChoice(-1) }
    switch list.pointee.kind {
    case .turns:
      let state = state(set, number)
      if state.pointee.turns.isUnstarted {
        state.pointee.turns = RoundRobin(start: Self.start(count, &random))
      }
      return HostChoice(member: member(set, list, state.pointee.turns.pick(count: count)))
    case .schedule: return HostChoice(pickScheduled(set, number, &random))
    case .random: return HostChoice(member: member(set, list, RandomPick.pick(count: count, &random)))
    }
  }

  @inline(__always)
  private func member(
    _ set: UnsafeMutablePointer<HostSet>, _ list: UnsafeMutablePointer<PickList>, _ position: UInt32
  ) -> UInt32 {
    let members = set.pointee.members.buffer.baseAddress.unsafelyUnwrapped
    return members[Int(list.pointee.first) &+ Int(position)]
  }

  private mutating func pickScheduled(
    _ set: UnsafeMutablePointer<HostSet>, _ number: Int, _ random: inout FastRandom
  ) -> Int32 {
    let list = set.pointee.lists.buffer.baseAddress.unsafelyUnwrapped + number
    guard let members = list.pointee.bits, let weights = set.pointee.weights.buffer.baseAddress else { return -1 }
    let state = state(set, number)
    let schedule: UnsafeMutablePointer<DeadlineSchedule>
    if let made = state.pointee.schedule {
      schedule = made
    } else {
      schedule = .allocate(capacity: 1)
      schedule.initialize(
        to: DeadlineSchedule(
          members, skipping: Self.start(list.pointee.count, &random), weight: { Double(weights[Int($0)]) }))
      state.pointee.schedule = schedule
    }
    return schedule.pointee.next(members, weight: { Double(weights[Int($0)]) }).map { Int32(bitPattern: $0) } ?? -1
  }

  /// Workers start at different hosts, so that few requests do not pile up on the first.
  private static func start(_ count: UInt32, _ random: inout FastRandom) -> UInt32 { random.below(count) }

  @inline(__always)
  private mutating func state(
    _ set: UnsafeMutablePointer<HostSet>, _ number: Int
  ) -> UnsafeMutablePointer<ListState> {
    if let states { return states + number }
    return makeStates(set) + number
  }

  @inline(never)
  private mutating func makeStates(_ set: UnsafeMutablePointer<HostSet>) -> UnsafeMutablePointer<ListState> {
    count = set.pointee.lists.buffer.count
    let made = UnsafeMutablePointer<ListState>.allocate(capacity: count)
    made.initialize(repeating: ListState(), count: count)
    states = made
    return made
  }

  /// Goes on with another set of the cluster. Turns stay where they are; schedules do when the hosts
  /// are the same, and let in who came: who left is dropped when its turn comes.
  package mutating func adopt(
    _ new: UnsafeMutablePointer<HostSet>, after old: UnsafeMutablePointer<HostSet>
  ) {
    guard let before = states else { return }
    let countBefore = count
    let made = makeStates(new)
    let hasSameHosts = new.pointee.hosts.isSame(as: old.pointee.hosts)
    for number in 0..<countBefore {
      guard number < count else {
        before[number].dropSchedule()
        continue
      }
      made[number] = before[number]
      guard made[number].schedule != nil else { continue }
      let list = new.pointee.lists.buffer[number]
      if hasSameHosts, list.continues(old.pointee.lists.buffer[number]), let members = list.bits {
        let weights = new.pointee.weights.buffer
        made[number].schedule?.pointee.repair(members, weight: { Double(weights[Int($0)]) })
      } else {
        made[number].dropSchedule()
      }
    }
    before.deinitialize(count: countBefore)
    before.deallocate()
  }

  /// Frees what it has made.
  package mutating func reset() {
    guard let states else { return }
    for number in 0..<count { states[number].dropSchedule() }
    states.deinitialize(count: count)
    states.deallocate()
    self.states = nil
    count = 0
  }
}
