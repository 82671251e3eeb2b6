import Primitives
import Proxy

let filterChainCases: [MicroCase] = [
  MicroCase("chain-of-10000-names") { choosing(count: 10_000) { "s\($0).example.com" } },
  MicroCase("chain-of-10000-wildcards") { choosing(count: 10_000) { "*.s\($0).example.com" } },
]

/// A listener with `count` chains, one for each name.
private func choosing(count: Int, name: (Int) -> String) -> (Int) -> UInt64 {
  let matcher = FilterChainMatcher(
    criteria: (0..<count).map {
      var criteria = FilterChainMatcher.Criteria()
      criteria.serverNames = [name($0)]
      return criteria
    }, defaultChain: nil)
  let frozen = Unmanaged.passRetained(Frozen(matcher)).takeUnretainedValue().pointer
  let clients = UnsafeMutableBufferPointer<FilterChainMatcher.Connection>.allocate(capacity: 64)
  _ = clients.initialize(
    from: (0..<64).map {
      var client = FilterChainMatcher.Connection(
        destination: nil, destinationPort: 0, source: IPAddress(v4: 0x0A00_0001), sourcePort: 1,
        directSource: nil)
      client.serverName = lasting(name($0 * 7919 % count).replacing("*", with: "www"))
      return client
    })
  return { count in
    var digest = Digest()
    var at = 0
    for _ in 0..<count {
      guard let chain = frozen.pointee.match(clients[at]) else {
        preconditionFailure("every name has a chain")
      }
      digest.add(chain)
      at = at + 1 == clients.count ? 0 : at + 1
    }
    return digest.value
  }
}
