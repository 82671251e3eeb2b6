import Balancing

/// A worker's turns in the subsets of one cluster, and the ways through them that routes ask for.
struct SubsetTurns {
  private let start: TurnsStart
  /// By number, the default subset's the last; nil before the first choice.
  private var balancers: UnsafeMutableBufferPointer<BalancerState>?
  /// By digest of a match: what it tries. As many as there are different routes' matches.
  private var plans: [UInt64: UnsafeMutableBufferPointer<SubsetStep>] = [:]
  /// Matches of configurations that are gone are forgotten with all others when there are so many.
  private static let plansMax = 4096

  init(_ start: TurnsStart) { self.start = start }

  /// The turns in a subset.
  ///
  /// - Parameter number: Of the view, or its count: the default subset's.
  mutating func balancer(_ number: Int, _ view: SubsetView) -> UnsafeMutablePointer<BalancerState> {
    let all = balancers ?? make(Int(view.count))
    // Never empty: the default subset has one.
    return all.baseAddress.unsafelyUnwrapped + number
  }

  private mutating func make(_ count: Int) -> UnsafeMutableBufferPointer<BalancerState> {
    let made = UnsafeMutableBufferPointer<BalancerState>.allocate(capacity: count + 1)
    made.initialize(repeating: BalancerState(start))
    balancers = made
    return made
  }

  /// What a match tries in a cluster. Made when it is first asked for.
  mutating func steps(_ match: Unmanaged<SubsetMatch>?, _ set: HostSetRef) -> UnsafeBufferPointer<SubsetStep> {
    // Nothing wanted is 0: a digest that no match has but by chance, which then gets the same as nothing.
    let digest = match?._withUnsafeGuaranteedRef { $0.digest } ?? 0
    if let steps = plans[digest] { return UnsafeBufferPointer(steps) }
    return makeSteps(digest, match, set)
  }

  @inline(never)
  private mutating func makeSteps(
    _ digest: UInt64, _ match: Unmanaged<SubsetMatch>?, _ set: HostSetRef
  ) -> UnsafeBufferPointer<SubsetStep> {
    if plans.count >= Self.plansMax { forgetPlans() }
    let settings = set.pointee.settings.subsets ?? SubsetSettings()
    let plan = match?._withUnsafeGuaranteedRef { $0.plan(settings) } ?? SubsetPlan(settings, match: [])
    let steps = UnsafeMutableBufferPointer<SubsetStep>.allocate(capacity: plan.steps.count)
    _ = steps.initialize(from: plan.steps)
    plans[digest] = steps
    return UnsafeBufferPointer(steps)
  }

  /// Goes on with other hosts: turns of a subset stay its own, whatever its number is now.
  mutating func adopt(
    _ new: HostSetRef, after old: HostSetRef, now: UInt64, activeOf: (UInt32) -> UInt32
  ) {
    if new.pointee.settings.subsets != old.pointee.settings.subsets { forgetPlans() }
    guard let before = balancers, let oldView = old.pointee.subsetView, let oldSubsets = old.pointee.subsets else { return }
    guard let view = new.pointee.subsetView else {
      forgetBalancers()
      return
    }
    let made = make(Int(view.count))
    for number in 0..<before.count {
      let isDefault = number == before.count - 1
      let place = isDefault ? Int(view.count) : view.table.find(oldSubsets.digest(number)).map(Int.init)
      guard let place else {
        before[number].reset()
        continue
      }
      made[place] = before[number]
      let (from, to) = (oldView.sets[number], view.sets[place])
      if from != to { made[place].adopt(to, after: from, now: now, activeOf: activeOf) }
    }
    before.deallocate()
  }

  private mutating func forgetPlans() {
    for steps in plans.values { steps.deallocate() }
    plans.removeAll()
  }

  private mutating func forgetBalancers() {
    guard let balancers else { return }
    for number in balancers.indices { balancers[number].reset() }
    balancers.deallocate()
    self.balancers = nil
  }

  /// Frees what it has made.
  mutating func reset() {
    forgetPlans()
    forgetBalancers()
  }
}
