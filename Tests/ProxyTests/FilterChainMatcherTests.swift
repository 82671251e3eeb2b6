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

  private func lasting(_ text: String) -> ByteView { FrozenText.forever(text).view }

  private func chain(_ matcher: FilterChainMatcher, for name: String) -> Int? {
    var client = connection()
    client.serverName = lasting(name)
    return matcher.match(client)
  }

  @Test func exactNameThenLongestSuffixThenNone() {
    let matcher = FilterChainMatcher(
      criteria: [
        criteria { $0.serverNames = ["*.example.com"] },
        criteria { $0.serverNames = ["www.example.com", "other.net"] },
        criteria { $0.serverNames = ["*.www.example.com"] },
        criteria { _ in },
      ], defaultChain: 9)
    let table: [(name: String, chain: Int)] = [
      ("www.example.com", 1), ("other.net", 1), ("a.example.com", 0), ("a.b.example.com", 0),
      ("a.www.example.com", 2), ("example.com", 3), ("www.example.org", 3), ("", 3), ("com", 3),
      ("aexample.com", 3), (".example.com", 3), (".www.example.com", 0), ("www.example.com.", 3),
      ("www..example.com", 0), (".", 3), ("..", 3),
    ]
    for row in table { #expect(chain(matcher, for: row.name) == row.chain, "\(row.name)") }
  }

  @Test func aNameIsFinal() {
    // The name selects the first chain; that the client does not speak its protocol changes nothing.
    let matcher = FilterChainMatcher(
      criteria: [
        criteria {
          $0.serverNames = ["a.test"]
          $0.protocols = ["h2"]
        },
        criteria { $0.serverNames = ["*.test"] },
      ], defaultChain: nil)
    #expect(chain(matcher, for: "a.test") == nil)
    #expect(chain(matcher, for: "b.test") == 1)
    #expect(chain(matcher, for: "b.other") == nil)
  }

  @Test func transport() {
    let matcher = FilterChainMatcher(
      criteria: [criteria { $0.transport = .tls }, criteria { $0.transport = .plain }],
      defaultChain: nil)
    var client = connection()
    #expect(matcher.match(client) == 1)
    client.isTLS = true
    #expect(matcher.match(client) == 0)
  }

  @Test func theClientsFirstProtocolWins() {
    let matcher = FilterChainMatcher(
      criteria: [
        criteria { $0.protocols = ["http/1.1"] }, criteria { $0.protocols = ["h3", "h2"] },
        criteria { _ in },
      ], defaultChain: nil)
    let table: [(offered: String, chain: Int)] = [
      ("\u{2}h2\u{8}http/1.1", 1), ("\u{8}http/1.1\u{2}h2", 0), ("\u{1}h\u{2}h2", 1), ("", 2),
      ("\u{3}ftp", 2), ("\u{3}h2", 2), ("\u{0}\u{2}h2", 1),
    ]
    for row in table {
      var client = connection()
      client.protocols = lasting(row.offered)
      #expect(matcher.match(client) == row.chain, "\(row.offered.debugDescription)")
    }
  }

  @Test func manyNamesInManyChains() {
    let matcher = FilterChainMatcher(
      criteria: (0..<5000).map { number in
        criteria { $0.serverNames = ["s\(number).test", "*.s\(number).test"] }
      }, defaultChain: nil)
    for number in stride(from: 0, to: 5000, by: 7) {
      #expect(chain(matcher, for: "s\(number).test") == number)
      #expect(chain(matcher, for: "a.b.s\(number).test") == number)
    }
    #expect(chain(matcher, for: "s5000.test") == nil)
  }

  /// Random chains and connections, small enough to meet often, against the rules read literally.
  @Test(arguments: 0..<4) func asTheRulesRead(seed: UInt64) {
    var random = FastRandom(seed: seed)
    var matched = 0
    for _ in 0..<250 {
      let list = (0..<Int.random(in: 1...9, using: &random)).map { _ in
        LiteralChainChoice.randomCriteria(&random)
      }
      let matcher = FilterChainMatcher(criteria: list, defaultChain: nil)
      for _ in 0..<40 {
        let client = LiteralChainChoice.randomClient(&random)
        let want = LiteralChainChoice.choose(list, client)
        let got = matcher.match(client.connection)
        if want != nil { matched += 1 }
        guard got == want else {
          Issue.record("seed \(seed): \(client) of \(list): chain \(String(describing: got)), not \(String(describing: want))")
          return
        }
      }
    }
    #expect(matched > 1000, "the tables are hit often enough to mean something")
  }
}
