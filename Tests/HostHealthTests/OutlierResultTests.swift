import HostHealth
import Testing

@Suite struct OutlierResultTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let result: OutlierResult
    let together: OutlierCount
    let split: OutlierCount
    init(_ name: String, _ result: OutlierResult, together: OutlierCount, split: OutlierCount) {
      testDescription = name
      self.result = result
      self.together = together
      self.split = split
    }
  }

  static let rows = [
    Row("response 200", .status(200), together: .external(status: 200), split: .external(status: 200)),
    Row("response 503", .status(503), together: .external(status: 503), split: .external(status: 503)),
    Row(
      "connect failure, reset", .localOriginFailure, together: .external(status: 503),
      split: .localOriginFailure),
    Row(
      "timeout", .localOriginTimeout(status: 504), together: .external(status: 504),
      split: .localOriginFailure),
    Row(
      "timeout with the alternative response", .localOriginTimeout(status: 204),
      together: .external(status: 204), split: .localOriginFailure),
    Row("connected", .connected, together: .nothing, split: .localOriginSuccess),
    Row(
      "connected, TCP", .connectedFinally, together: .external(status: 200), split: .localOriginSuccess),
  ]

  @Test(arguments: rows)
  func counted(_ row: Row) {
    #expect(row.result.counted(isSplit: false) == row.together)
    #expect(row.result.counted(isSplit: true) == row.split)
  }
}
