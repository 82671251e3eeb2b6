import HostHealth
import Primitives
import Testing

/// A host that is ejected and comes back, in a cluster whose cap allows it.
private struct Host {
  var state = OutlierState()
  var ejections = Ejections()
  var settings: OutlierSettings
  var random = FastRandom(seed: 3)

  init(base: UInt64 = 30_000, max: UInt64? = nil) {
    settings = OutlierSettings(baseEjectionTime: base, maxEjectionTime: max)
    settings.alwaysEjectsOneHost = true
  }

  mutating func eject(at now: UInt64) {
    let decision = ejections.detected(
      .consecutive5xx, of: &state, hostCount: 1, now: now, settings, using: &random)
    #expect(decision == .ejected)
  }

  mutating func sweep(at now: UInt64) -> Bool {
    let isBack = ejections.unejectIfOver(&state, now: now, settings)
    state.relax(now: now, settings)
    return isBack
  }
}

@Suite struct OutlierStateTests {
  @Test func endsWhenItsTimeIsOver() {
    var host = Host()
    #expect(!host.state.isOver(now: .max, host.settings), "is not ejected")
    host.eject(at: 1000)
    #expect(host.state.ejectionTime(host.settings) == 30_000)
    #expect(host.sweep(at: 30_999) == false)
    #expect(host.state.isEjected)
    #expect(host.sweep(at: 31_000) == true)
    #expect(!host.state.isEjected)
    #expect(host.ejections.active == 0)
    #expect(host.state.unejectedAt == 31_000)
    #expect(host.sweep(at: 31_000) == false)
  }

  /// 30 s, 60 s, ... up to the largest; the multiplier itself stops one above what gives it.
  @Test func backoffGrows() {
    var host = Host(base: 30_000, max: 100_000)
    var now: UInt64 = 0
    var times: [UInt64] = []
    var backoffs: [UInt32] = []
    for _ in 0..<7 {
      host.eject(at: now)
      times.append(host.state.ejectionTime(host.settings))
      backoffs.append(host.state.backoff)
      now += times.last ?? 0
      #expect(host.sweep(at: now) == true)
    }
    #expect(times == [30_000, 60_000, 90_000, 100_000, 100_000, 100_000, 100_000])
    // 4 * 30 is below 100 + 30, 5 * 30 is not.
    #expect(backoffs == [1, 2, 3, 4, 5, 5, 5])
    #expect(host.state.ejections == 7)
  }

  /// With the default times: 10 times 30 s is the largest, and the multiplier reaches 11.
  @Test func backoffOfTheDefaults() {
    var host = Host()
    var now: UInt64 = 0
    for _ in 0..<20 {
      host.eject(at: now)
      now += 300_000
      #expect(host.sweep(at: now) == true)
    }
    #expect(host.state.backoff == 11)
  }

  @Test func backoffShrinksWithEveryIntervalInService() {
    var host = Host()
    var now: UInt64 = 0
    for _ in 0..<3 {
      host.eject(at: now)
      now += 300_000
      #expect(host.sweep(at: now) == true)
    }
    #expect(host.state.backoff == 3, "the sweep that brings it back is not an interval in service")
    #expect(host.sweep(at: now + 9_999) == false)
    #expect(host.state.backoff == 3)
    for (step, backoff) in [(1, 2), (2, 1), (3, 0), (4, 0)] as [(UInt64, UInt32)] {
      #expect(host.sweep(at: now + step * 10_000) == false)
      #expect(host.state.backoff == backoff)
    }
    host.eject(at: now + 100_000)
    #expect(host.state.ejectionTime(host.settings) == 30_000)
    #expect(host.state.ejections == 4)
  }

  @Test func backoffStaysWhileEjected() {
    var host = Host()
    host.eject(at: 0)
    #expect(host.sweep(at: 30_000) == true)
    host.eject(at: 30_001)
    #expect(host.state.backoff == 2)
    for step in 0..<5 as Range<UInt64> { #expect(host.sweep(at: 40_001 + step * 10_000) == false) }
    #expect(host.state.backoff == 2)
  }

  @Test func jitter() {
    for (most, roll, jitter) in [
      (0, 17, 0), (100, 0, 0), (100, 100, 100), (100, 101, 0), (.max, .max, .max),
    ] as [(UInt64, UInt64, UInt64)] {
      var settings = OutlierSettings()
      settings.alwaysEjectsOneHost = true
      settings.maxEjectionTimeJitter = most
      var state = OutlierState()
      var ejections = Ejections()
      var rolls = Rolls(roll)
      _ = ejections.detected(.successRate, of: &state, hostCount: 1, now: 0, settings, using: &rolls)
      #expect(state.jitter == jitter)
      #expect(state.ejectionTime(settings) == (jitter == .max ? .max : 30_000 + jitter))
    }
  }

  /// The largest time caps the base, not the jitter on top.
  @Test func jitterComesOnTopOfTheLargestTime() {
    var settings = OutlierSettings(baseEjectionTime: 1000, maxEjectionTime: 1000)
    settings.alwaysEjectsOneHost = true
    settings.maxEjectionTimeJitter = 500
    var state = OutlierState()
    var ejections = Ejections()
    var rolls = Rolls(400)
    _ = ejections.detected(.successRate, of: &state, hostCount: 1, now: 0, settings, using: &rolls)
    #expect(!state.isOver(now: 1399, settings))
    #expect(state.isOver(now: 1400, settings))
  }

  @Test func hostileNumbersDoNotTrap() {
    var host = Host(base: .max, max: .max)
    host.eject(at: .max)
    #expect(host.state.ejectionTime(host.settings) == .max)
    #expect(host.sweep(at: 0) == false, "a clock that went back")
    var idle = Host(base: 0, max: 0)
    for now in 0..<10 as Range<UInt64> {
      idle.eject(at: now)
      #expect(idle.sweep(at: now) == true, "0 ms are over at once")
    }
  }
}
