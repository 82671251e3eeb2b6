import Testing

@testable import Server

@Suite struct LogPaceTests {
  @Test func idleSleepsLongerAndLonger() {
    var pace = LogPace(ringBytes: 1 << 20)
    var pauses: [Int32] = []
    for _ in 0..<8 { pauses.append(pace.pauseMilliseconds(afterTaking: 0)) }
    #expect(pauses == [2, 4, 8, 16, 25, 25, 25, 25])
  }

  @Test func aRingThatFillsQuicklyIsReadWithoutPause() {
    var pace = LogPace(ringBytes: 1 << 20)
    #expect(pace.pauseMilliseconds(afterTaking: 1 << 19) == 0)
    #expect(pace.pauseMilliseconds(afterTaking: 1 << 17) == 1)
    #expect(pace.pauseMilliseconds(afterTaking: 0) == 2)
  }
}
