import Balancing
import Primitives

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

  private let start: TurnsStart
  /// By number of the set's lists; nil before the first pick.
  private var states: UnsafeMutablePointer<ListState>?
  private var count = 0

  package init(_ start: TurnsStart = TurnsStart()) { self.start = start }

  /// A host of a set that does not read loads. O(1) of equal weights and tables, O(log hosts) of others and of rings.
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
      return pick(set, only, &random, wish)
    }
    return chooseByLevel(set, &random, wish)
  }

  /// A host of any set. A full scan, and a bounded load that is reached, are O(hosts).
  ///
  /// - Parameter activeOf: This worker's requests of a host of the set.
  package mutating func choose(
    _ set: UnsafeMutablePointer<HostSet>, _ random: inout FastRandom, _ wish: HostWish, _ load: HostLoad,
    activeOf: (UInt32) -> UInt32
  ) -> HostChoice {
    let only = Int(set.pointee.only)
    if only >= 0 { return pickAny(set, only, &random, wish, load, activeOf) }
    let list = list(set, &random, wish)
    let choice = list.number < 0 ? HostChoice(-1) : pickAny(set, list.number, &random, wish, load, activeOf)
    return choice.noting(isPanic: list.isPanic, list.zone)
  }

  @inline(never)
  private mutating func chooseByLevel(
    _ set: UnsafeMutablePointer<HostSet>, _ random: inout FastRandom, _ wish: HostWish
  ) -> HostChoice {
    let list = list(set, &random, wish)
    let choice = list.number < 0 ? HostChoice(-1) : pick(set, list.number, &random, wish)
    return choice.noting(isPanic: list.isPanic, list.zone)
  }

  /// A host for an attempt that repeats a request, on a level that has not been tried where there is one.
  @inline(never)
  package mutating func chooseAgain(
    _ set: UnsafeMutablePointer<HostSet>, _ random: inout FastRandom, _ wish: HostWish, _ load: HostLoad,
    after tried: UnsafeMutablePointer<TriedLevels>, frequency: UInt32, activeOf: (UInt32) -> UInt32
  ) -> HostChoice {
    // A key stays with its level.
    guard !set.pointee.settings.policy.hashes else { return choose(set, &random, wish, load, activeOf: activeOf) }
    let levels = set.pointee.levels.buffer
    let step = tried.pointee.choose(wish.hash ?? random.next(), frequency: frequency, levels: levels.count) {
      levels[$0].share
    }
    guard let step else { return choose(set, &random, wish, load, activeOf: activeOf) }
    let list = list(set, step, &random)
    let choice = list.number < 0 ? HostChoice(-1) : pickAny(set, list.number, &random, wish, load, activeOf)
    return choice.noting(isPanic: list.isPanic, list.zone)
  }

  // MARK: Levels and localities

  /// Where a choice is made, and what is to be counted of the way there.
  private struct ListChoice {
    /// -1: nobody is to be chosen.
    var number: Int
    var isPanic = false
    var zone = ZoneOutcome.none
  }

  /// The list that the steps lead to.
  private mutating func list(
    _ set: UnsafeMutablePointer<HostSet>, _ random: inout FastRandom, _ wish: HostWish
  ) -> ListChoice {
    let steps = UnsafeBufferPointer(set.pointee.steps.buffer)
    return list(set, LoadStep.choose(steps, wish.hash ?? random.next()), &random)
  }

  @inline(__always)
  private mutating func list(
    _ set: UnsafeMutablePointer<HostSet>, _ step: LoadStep, _ random: inout FastRandom
  ) -> ListChoice {
    let level = set.pointee.levels.buffer.baseAddress.unsafelyUnwrapped + Int(step.level)
    if level.pointee.share.isPanic {
      return ListChoice(number: level.pointee.share.fails ? -1 : Int(level.pointee.all), isPanic: true)
    }
    let whole = Int(step.isDegraded ? level.pointee.degraded : level.pointee.healthy)
    let turns = Int(step.isDegraded ? level.pointee.degradedTurns : level.pointee.healthyTurns)
    if turns >= 0 { return ListChoice(number: nextLocality(set, turns) ?? whole) }
    guard step.level == 0, let zone = set.pointee.zoneView else { return ListChoice(number: whole) }
    return zoneList(set, zone, level, whole, isDegraded: step.isDegraded, &random)
  }

  /// The list of the locality whose turn it is.
  private mutating func nextLocality(_ set: UnsafeMutablePointer<HostSet>, _ number: Int) -> Int? {
    let list = set.pointee.lists.buffer.baseAddress.unsafelyUnwrapped + number
    guard let shares = list.pointee.shares, let position = nextScheduled(set, number, weight: { shares[Int($0)] })
    else { return nil }
    return Int(member(set, list, position))
  }

  /// The first level's list of the locality that zones lead to.
  private func zoneList(
    _ set: UnsafeMutablePointer<HostSet>, _ zone: ZoneShares.View, _ level: UnsafeMutablePointer<PriorityLevel>, _ whole: Int,
    isDegraded: Bool, _ random: inout FastRandom
  ) -> ListChoice {
    guard zone.isOn, zone.enabledPercent >= 100 || random.below(100) < zone.enabledPercent else { return ListChoice(number: whole) }
    if zone.isOwnPanic { return ListChoice(number: zone.failsInOwnPanic ? -1 : whole, zone: .ownNotOK) }
    let choice = zone.routing.pick(&random)
    guard choice.locality < level.pointee.localityCount else { return ListChoice(number: whole) }
    let entry = set.pointee.localities.buffer.baseAddress.unsafelyUnwrapped + Int(level.pointee.firstLocality + choice.locality)
    let list = Int(isDegraded ? entry.pointee.degraded : entry.pointee.healthy)
    // Shares are those of healthy hosts: a locality may have no degraded one.
    let isEmpty = set.pointee.lists.buffer[list].count == 0
    return ListChoice(number: isEmpty ? whole : list, zone: ZoneOutcome(choice.reason))
  }

  // MARK: Lists

  /// Whose turn it is in a list.
  @inline(never)
  private mutating func pick(
    _ set: UnsafeMutablePointer<HostSet>, _ number: Int, _ random: inout FastRandom, _ wish: HostWish
  ) -> HostChoice {
    pickAny(set, number, &random, wish, HostLoad()) { _ in 0 }
  }

  @inline(__always)
  private mutating func pickAny(
    _ set: UnsafeMutablePointer<HostSet>, _ number: Int, _ random: inout FastRandom, _ wish: HostWish,
    _ load: HostLoad, _ activeOf: (UInt32) -> UInt32
  ) -> HostChoice {
    let list = set.pointee.lists.buffer.baseAddress.unsafelyUnwrapped + number
    let count = list.pointee.count
    guard count > 0 else { return HostChoice(-1) }
    var kind = list.pointee.kind
    if kind == .starting { kind = load.now < set.pointee.startingUntil ? .schedule : list.pointee.settled }
    let position: UInt32
    switch kind {
    case .turns:
      let state = state(set, number)
      if state.pointee.turns.isUnstarted { state.pointee.turns = RoundRobin(start: start.position(count)) }
      position = state.pointee.turns.pick(count: count)
    case .random: position = RandomPick.pick(count: count, &random)
    case .fewest:
      position = set.pointee.settings.leastRequest.pick(count: count, &random) { activeOf(member(set, list, $0)) }
    case .fewestOfAll:
      position = set.pointee.settings.leastRequest.pickOfAll(count: count, &random) { activeOf(member(set, list, $0)) }
    case .hashed:
      guard let table = list.pointee.table else { return HostChoice(-1) }
      let hash = wish.hash ?? random.next()
      let preferred = table.pointee.pick(hash, attempt: wish.attempt)
      position = pickBounded(set, list, preferred, hash, load, activeOf)
    // Turns among localities have led here already.
    case .localities: return HostChoice(-1)
    case .schedule, .starting: return HostChoice(pickScheduled(set, number, load, activeOf))
    }
    return HostChoice(member: member(set, list, position))
  }

  @inline(__always)
  private func member(
    _ set: UnsafeMutablePointer<HostSet>, _ list: UnsafeMutablePointer<PickList>, _ position: UInt32
  ) -> UInt32 {
    let members = set.pointee.members.buffer.baseAddress.unsafelyUnwrapped
    return members[Int(list.pointee.first) &+ Int(position)]
  }

  /// Who takes a request of a hash whose host may be full.
  @inline(__always)
  private func pickBounded(
    _ set: UnsafeMutablePointer<HostSet>, _ list: UnsafeMutablePointer<PickList>, _ preferred: UInt32, _ hash: UInt64,
    _ load: HostLoad, _ activeOf: (UInt32) -> UInt32
  ) -> UInt32 {
    guard let shares = list.pointee.shares, let bounded = set.pointee.settings.hashing.boundedLoad else { return preferred }
    let weights = UnsafeBufferPointer(start: shares, count: Int(list.pointee.count))
    return bounded.pick(preferred: preferred, hash: hash, weights: weights, active: load.active) {
      activeOf(member(set, list, $0))
    }
  }

  // MARK: Schedules

  private mutating func pickScheduled(
    _ set: UnsafeMutablePointer<HostSet>, _ number: Int, _ load: HostLoad, _ activeOf: (UInt32) -> UInt32
  ) -> Int32 {
    guard !set.pointee.weights.buffer.isEmpty else { return -1 }
    let host = nextScheduled(set, number) { Self.weight(set, $0, load.now, activeOf) }
    return host.map { Int32(bitPattern: $0) } ?? -1
  }

  /// Whose turn it is in a list with bits: an index as they have it.
  @inline(__always)
  private mutating func nextScheduled(
    _ set: UnsafeMutablePointer<HostSet>, _ number: Int, weight: (UInt32) -> Double
  ) -> UInt32? {
    let list = set.pointee.lists.buffer.baseAddress.unsafelyUnwrapped + number
    guard let members = list.pointee.bits else { return nil }
    let state = state(set, number)
    let schedule: UnsafeMutablePointer<DeadlineSchedule>
    if let made = state.pointee.schedule {
      schedule = made
    } else {
      schedule = .allocate(capacity: 1)
      schedule.initialize(
        to: DeadlineSchedule(members, skipping: start.position(list.pointee.count), weight: weight))
      state.pointee.schedule = schedule
    }
    return schedule.pointee.next(members, weight: weight)
  }

  /// What a host's turns are by at this moment.
  @inline(__always)
  private static func weight(
    _ set: UnsafeMutablePointer<HostSet>, _ host: UInt32, _ now: UInt64, _ activeOf: (UInt32) -> UInt32
  ) -> Double {
    let weight = set.pointee.weights.buffer[Int(host)]
    var result = Double(weight)
    if set.pointee.settings.policy == .leastRequest {
      result = set.pointee.settings.leastRequest.weight(weight, active: activeOf(host))
    }
    if now < set.pointee.startingUntil, let slowStart = set.pointee.settings.slowStart {
      result *= slowStart.factor(readySince: set.pointee.readySince.buffer[Int(host)], now: now)
    }
    return result
  }

  // MARK: States

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
  ///
  /// - Parameters:
  ///   - now: Nanoseconds of the worker's clock.
  ///   - activeOf: This worker's requests of a host of both sets, when their hosts are the same.
  package mutating func adopt(
    _ new: UnsafeMutablePointer<HostSet>, after old: UnsafeMutablePointer<HostSet>, now: UInt64 = 0,
    activeOf: (UInt32) -> UInt32 = { _ in 0 }
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
        if list.kind == .localities, let shares = list.shares {
          made[number].schedule?.pointee.repair(members) { shares[Int($0)] }
        } else {
          made[number].schedule?.pointee.repair(members) { Self.weight(new, $0, now, activeOf) }
        }
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
