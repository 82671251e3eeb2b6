import Primitives
import Testing

@testable import Proxy

struct FilterChainMatcherTests {
  private func criteria(_ set: (inout FilterChainMatcher.Criteria) -> Void)
    -> FilterChainMatcher.Criteria
  {
    var criteria = FilterChainMatcher.Criteria()
    set(&criteria)
    return criteria
  }

  private func range(_ text: String, _ length: Int) -> AddressRange {
    guard let address = IPAddress(text), let range = AddressRange(address, prefixLength: length)
    else { preconditionFailure("bad test address \(text)/\(length)") }
    return range
  }

  private func connection(
    _ source: String = "9.9.9.9", port: UInt16 = 1000, to destination: String = "10.0.0.1",
    _ destinationPort: UInt16 = 80
  ) -> FilterChainMatcher.Connection {
    .init(
      destination: IPAddress(destination), destinationPort: destinationPort,
      source: IPAddress(source), sourcePort: port, directSource: IPAddress(source))
  }

  @Test func portBeforeAddress() {
    // The port is looked at first: the more exact address of another chain does not matter any more.
    let matcher = FilterChainMatcher(
      criteria: [
        criteria { $0.destinationPort = 80 },
        criteria { $0.destinationRanges = [range("10.0.0.1", 32)] },
      ], defaultChain: nil)
    #expect(matcher.match(connection()) == 0)
    #expect(matcher.match(connection(to: "10.0.0.1", 81)) == 1)
    #expect(matcher.match(connection(to: "10.0.0.2", 81)) == nil)
  }

  @Test func noBacktracking() {
    // Port 80 selects the first chain's branch; that its source does not match is final.
    let matcher = FilterChainMatcher(
      criteria: [
        criteria {
          $0.destinationPort = 80
          $0.sourceRanges = [range("1.1.1.1", 32)]
        },
        criteria { _ in },
      ], defaultChain: nil)
    #expect(matcher.match(connection()) == nil)
    #expect(matcher.match(connection("1.1.1.1")) == 0)
    #expect(matcher.match(connection(to: "10.0.0.1", 443)) == 1)
  }

  @Test func longestPrefixWins() {
    let matcher = FilterChainMatcher(
      criteria: [
        criteria { $0.sourceRanges = [range("9.0.0.0", 8)] },
        criteria { $0.sourceRanges = [range("9.9.0.0", 16), range("7.0.0.0", 8)] },
        criteria { _ in },
      ], defaultChain: nil)
    #expect(matcher.match(connection()) == 1)
    #expect(matcher.match(connection("9.8.0.1")) == 0)
    #expect(matcher.match(connection("7.1.1.1")) == 1)
    #expect(matcher.match(connection("8.8.8.8")) == 2)
  }

  @Test func defaultChainTakesTheRest() {
    let matcher = FilterChainMatcher(
      criteria: [criteria { $0.sourcePorts = [1, 2] }], defaultChain: 5)
    #expect(matcher.match(connection(port: 2)) == 0)
    #expect(matcher.match(connection(port: 3)) == 5)
  }

  @Test func sourceType() {
    let matcher = FilterChainMatcher(
      criteria: [
        criteria { $0.sourceType = .sameHostOrLoopback }, criteria { $0.sourceType = .external },
      ], defaultChain: nil)
    #expect(matcher.match(connection("127.0.0.1")) == 0)
    #expect(matcher.match(connection("10.0.0.1")) == 0, "same host as the destination")
    #expect(matcher.match(connection()) == 1)
  }
}
