import Primitives

/// Whether an attempt that is late goes on beside the next one (`hedge_on_per_try_timeout`): drawn by seed, in worlds that
/// repeat requests.
struct HedgeSettings {
  let isOn: Bool
  /// The routes want it; else only callers who ask for it have it.
  private let isForAll: Bool
  /// How long an attempt may take before it is late; 0: only silence makes it late.
  let perTryNanoseconds: UInt64
  private let idleNanoseconds: UInt64
  private let isCalm: Bool

  init(_ dice: Dice, isCalm: Bool, isPossible: Bool) {
    self.isCalm = isCalm
    isOn = dice.chance(0.6) && isPossible
    // Without hedges a late attempt is given up, which nothing excuses in calm worlds.
    isForAll = dice.chance(0.8) || isCalm
    let time = UInt64(dice.pick([5, 20, 50, 200])) * Time.millisecond
    let kind = dice.within(0...4)
    // The time between two bytes counts for the winner's response too.
    perTryNanoseconds = kind > 0 || isCalm ? time : 0
    idleNanoseconds = isCalm ? 0 : kind == 0 ? time : kind == 1 ? 2 * time : 0
  }

  /// What makes an attempt late, or not worth waiting for.
  private var lateNanoseconds: UInt64 { perTryNanoseconds > 0 ? perTryNanoseconds : idleNanoseconds }

  private static func seconds(_ nanoseconds: UInt64) -> String { "\(Double(nanoseconds / Time.millisecond) / 1000)s" }

  /// Fields of a retry policy.
  var times: String {
    (perTryNanoseconds > 0 ? ", per_try_timeout: \(Self.seconds(perTryNanoseconds))" : "")
      + (idleNanoseconds > 0 ? ", per_try_idle_timeout: \(Self.seconds(idleNanoseconds))" : "")
  }

  /// Fields of a virtual host.
  var text: String { isOn && isForAll ? "hedge_policy: { hedge_on_per_try_timeout: true }, " : "" }

  /// What a caller asks for in a header, if anything.
  func wish(_ dice: Dice) -> Bool? {
    guard isOn, dice.chance(isForAll ? 0.15 : 0.6) else { return nil }
    return isCalm || dice.chance(0.7)
  }

  /// Whether the proxy hedges a request whose caller wishes this.
  func hedges(_ wish: Bool?) -> Bool { isOn && (wish ?? isForAll) }

  /// What one attempt gets of a planned answer: hosts differ in how long they take, in rough worlds in whether they answer
  /// at all, and what they say differs from attempt to attempt, so that nobody can mistake one for another.
  func answer(_ planned: AnswerPlan, attempt number: Int, _ dice: Dice) -> AnswerPlan {
    guard isOn else { return planned }
    var answer = planned
    if dice.chance(number == 1 ? 0.6 : 0.3) { answer.delayNanoseconds += lateNanoseconds * UInt64(dice.within(30...400)) / 100 }
    if !isCalm, dice.chance(0.15) { return spoilt(answer, dice) }
    guard number > 1, answer.fate == .whole, !answer.hasNoBody, !answer.isFailure else { return answer }
    if dice.chance(0.7) { answer.body.count = dice.chance(0.15) ? dice.within(100_000...200_000) : dice.skewed(0...20_000) }
    if dice.chance(0.3) { answer.status = dice.pick([200, 201, 404, 500]) }
    if answer.body.framing != .untilClose, dice.chance(0.5) {
      answer.body.framing = answer.body.framing == .length ? .chunked : .length
      answer.body.trailers = answer.body.framing == .chunked ? dice.within(0...2) : 0
    }
    // As for any body: hundreds of chunks, not thousands.
    answer.body.chunkMax = max(answer.body.chunkMax, answer.body.count / 400)
    return answer
  }

  private func spoilt(_ planned: AnswerPlan, _ dice: Dice) -> AnswerPlan {
    var answer = planned
    switch dice.within(0...4) {
    case 0: answer.fate = .silent
    case 1: answer.fate = .breaks(after: dice.pick([0, dice.within(1...2000)]), resets: true)
    case 2: answer.fate = .breaks(after: 0, resets: false)
    default:
      answer = AnswerPlan()
      answer.status = 503
      answer.body.framing = .length
      answer.body.count = 20
      answer.isFailure = true
      answer.delayNanoseconds = planned.delayNanoseconds
    }
    return answer
  }
}
