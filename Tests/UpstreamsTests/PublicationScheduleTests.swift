import Testing

@testable import Upstreams

struct PublicationScheduleTests {
  @Test func theFirstChangeIsDueAtOnce() {
    var schedule = PublicationSchedule()
    schedule.changed(now: 1000, mergeWindow: 1000)
    #expect(schedule.due == 1000)
    #expect(!schedule.merges)
  }

  @Test func hostsThatComeBackWaitForOthers() {
    var schedule = PublicationSchedule()
    schedule.published(now: 1000, costMicroseconds: 10)
    schedule.changed(now: 1300, mergeWindow: 1000)
    #expect(schedule.due == 2000)
    #expect(schedule.merges)
    schedule.changed(now: 1700, mergeWindow: 1000)
    #expect(schedule.due == 2000)
    schedule.published(now: 2000, costMicroseconds: 10)
    #expect(schedule.due == nil)
    schedule.changed(now: 3100, mergeWindow: 1000)
    #expect(schedule.due == 3100)
  }

  @Test func hostsThatFailDoNotWait() {
    var schedule = PublicationSchedule()
    schedule.published(now: 1000, costMicroseconds: 10)
    schedule.changed(now: 1300, mergeWindow: 1000)
    schedule.changed(now: 1400, mergeWindow: nil)
    #expect(schedule.due == 1400)
  }

  @Test func aStormIsAtMostTwoHundredASecond() {
    var schedule = PublicationSchedule()
    var count = 0
    for now in UInt64(0)..<10_000 {
      schedule.changed(now: now, mergeWindow: nil)
      if let due = schedule.due, due <= now {
        schedule.published(now: now, costMicroseconds: 100)
        count += 1
      }
    }
    #expect(count == 2000)
  }

  @Test func whatCostsMuchIsDoneLessOften() {
    var schedule = PublicationSchedule()
    schedule.published(now: 0, costMicroseconds: 10_000)
    schedule.changed(now: 1, mergeWindow: nil)
    #expect(schedule.due == 200)
  }

  @Test func aWindowWithoutEndDoesNotTrap() {
    var schedule = PublicationSchedule()
    schedule.published(now: 5, costMicroseconds: .max)
    schedule.changed(now: 6, mergeWindow: .max)
    #expect(schedule.due != nil)
  }
}
