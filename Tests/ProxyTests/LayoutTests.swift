import Testing

@testable import Proxy

/// Memory of an idle connection is this struct and its share of nothing else.
struct LayoutTests {
  @Test func aConnectionIsSmall() {
    #expect(MemoryLayout<Connection>.stride <= 376)
  }
}
