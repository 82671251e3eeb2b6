import HostHealth
import Testing

@Suite struct CanNeverEjectTests {
  static func settings(_ percent: UInt32, always: Bool = false) -> OutlierSettings {
    var settings = OutlierSettings()
    settings.maxEjectionPercent = percent
    settings.alwaysEjectsOneHost = always
    return settings
  }

  @Test(
    arguments: [
      (1, 10, 100), (2, 10, 50), (3, 10, 34), (4, 10, 25), (6, 10, 17), (7, 10, 15), (9, 10, 12),
      (1, 99, 100), (3, 33, 34), (100, 0, 1), (1000, 0, 1), (.max, 0, 1),
    ] as [(Int, UInt32, UInt32)])
  func nothingCanBeEjected(hostCount: Int, percent: UInt32, needed: UInt32) {
    let found = CanNeverEject(hostCount: hostCount, Self.settings(percent))
    #expect(found?.hostCount == hostCount)
    #expect(found?.maxEjectionPercent == percent)
    #expect(found?.percentNeeded == needed)
    #expect(CanNeverEject(hostCount: hostCount, Self.settings(percent, always: true)) == nil)
  }

  @Test(
    arguments: [
      (1, 100), (2, 50), (3, 34), (10, 10), (11, 10), (100, 1), (1000, 1), (1, .max),
    ] as [(Int, UInt32)])
  func somethingCanBe(hostCount: Int, percent: UInt32) {
    #expect(CanNeverEject(hostCount: hostCount, Self.settings(percent)) == nil)
  }

  @Test func noHostsNeedNoWarning() {
    #expect(CanNeverEject(hostCount: 0, Self.settings(10)) == nil)
    #expect(CanNeverEject(hostCount: -1, Self.settings(10)) == nil)
  }

  /// What it asks for is enough, and one less is not.
  @Test func theNeededPercentIsTheSmallest() {
    for hostCount in 1...200 {
      guard let needed = CanNeverEject(hostCount: hostCount, Self.settings(0))?.percentNeeded else {
        Issue.record("0 % allows nothing")
        return
      }
      #expect(CanNeverEject(hostCount: hostCount, Self.settings(needed)) == nil)
      #expect(CanNeverEject(hostCount: hostCount, Self.settings(needed - 1)) != nil)
    }
  }
}
