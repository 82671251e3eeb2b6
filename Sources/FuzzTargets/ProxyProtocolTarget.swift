import HTTP1Harness
import HTTPHarness
import Primitives
import Proxy

extension FuzzTarget {
  /// PROXY protocol headers, both versions.
  package static let proxyProtocol = FuzzTarget(name: "proxy-protocol", bytesMax: 512) { bytes in
    typealias Parser = ProxyProtocolParser
    func parse(_ bytes: some Collection<UInt8>) -> Parser.Outcome {
      withExactCopy(bytes) { Parser.parse($0) }
    }
    // Every beginning wants more until one does not, and from there on nothing changes.
    var decided: (outcome: Parser.Outcome, at: Int)?
    for end in 0...bytes.count {
      // Far behind the decision one look is enough.
      if let decided, end > decided.at + 8, end < bytes.count { continue }
      let outcome = parse(bytes[..<end])
      if let decided {
        try requireEqual(outcome, decided.outcome, "\(end) bytes, decided at \(decided.at)")
      } else if outcome != .needMore {
        decided = (outcome, end)
      }
    }
    guard let decided else {
      try require(bytes.count < Parser.lengthMax, "waits beyond the limit")
      return
    }
    guard case .complete(let length, let addresses) = decided.outcome else { return }
    // Complete as soon as the last byte is there: bytes of the client are never held back.
    try requireEqual(length, decided.at, "length")
    try require(length <= Parser.lengthMax, "longer than is read: \(length)")
    try require(bytes.first != UInt8(ascii: "P") || length <= 107, "version 1: \(length)")
    guard let addresses else { return }
    try requireEqual(addresses.source.family, addresses.destination.family, "families")
    let line =
      "PROXY \(addresses.source.family == .v4 ? "TCP4" : "TCP6") \(addresses.source) "
      + "\(addresses.destination) \(addresses.sourcePort) \(addresses.destinationPort)\r\n"
    try requireEqual(
      parse(Array(line.utf8)), .complete(length: line.utf8.count, addresses: addresses),
      "written again as \(line)")
  }
}
