/// What a host does, and when: what it would do anyway, but for these acts.
public struct HostScript: Sendable {
  public enum Deed: Equatable, Sendable {
    /// Answers so many nanoseconds later.
    case slow(UInt64)
    /// Answers 503, with this probability.
    case fails(Double)
    /// Resets the connection after so many bytes of an answer.
    case resets(after: Int)
    /// Refuses connections; those that there are go on.
    case refuses
    /// Takes connections and requests, and says nothing.
    case silent
    /// Nothing that is sent to it comes back: connections are not even refused.
    case blackhole
    /// The process is gone: its connections are reset, new ones refused.
    case gone
  }

  /// One deed, for a while: nanoseconds from the beginning of the run.
  public struct Act: Sendable {
    public let from: UInt64
    public let to: UInt64
    public let deed: Deed

    public init(from: UInt64, to: UInt64, _ deed: Deed) {
      self.from = from
      self.to = to
      self.deed = deed
    }
  }

  /// The first that holds at a time counts.
  public var acts: [Act] = []

  public init(_ acts: [Act] = []) { self.acts = acts }

  /// A deed from the one second to the other.
  public static func from(_ from: Double, to: Double, _ deed: Deed) -> HostScript {
    HostScript([Act(from: UInt64(from * 1e9), to: UInt64(to * 1e9), deed)])
  }

  /// Is gone for so many seconds and back for as many, again and again.
  public static func flaps(from: Double, to: Double, every seconds: Double) -> HostScript {
    var acts: [Act] = []
    var at = from
    while at < to {
      acts.append(Act(from: UInt64(at * 1e9), to: UInt64(min(to, at + seconds) * 1e9), .gone))
      at += 2 * seconds
    }
    return HostScript(acts)
  }

  func deed(at time: UInt64) -> Deed? { acts.first { $0.from <= time && time < $0.to }?.deed }

  /// As a seed would have it.
  ///
  /// - Parameter isCalm: Nothing that may fail a request.
  static func drawn(_ dice: Dice, isCalm: Bool) -> HostScript {
    guard dice.chance(0.5) else { return HostScript() }
    if !isCalm, dice.chance(0.15) {
      return .flaps(from: Double(dice.within(0...1000)) / 1000, to: 4, every: Double(dice.within(50...600)) / 1000)
    }
    var script = HostScript()
    var at = UInt64(dice.skewed(0...1500)) * Time.millisecond
    for _ in 0..<dice.within(1...3) {
      let end = at + UInt64(dice.within(50...2000)) * Time.millisecond
      script.acts.append(Act(from: at, to: end, deed(dice, isCalm: isCalm)))
      at = end + UInt64(dice.within(0...500)) * Time.millisecond
    }
    return script
  }

  private static func deed(_ dice: Dice, isCalm: Bool) -> Deed {
    let slow = Deed.slow(UInt64(dice.skewed(1...300)) * Time.millisecond)
    if isCalm { return slow }
    switch dice.within(0...9) {
    case 0: return slow
    case 1, 2, 3: return .fails(dice.pick([0.3, 0.7, 1]))
    case 4: return .resets(after: dice.pick([0, 0, dice.skewed(1...3000)]))
    case 5: return .refuses
    case 6: return .silent
    case 7: return .blackhole
    default: return .gone
    }
  }
}
