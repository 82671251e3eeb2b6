import Primitives
import Synchronization
import TLS
import TLSHarness

extension FuzzTarget {
  /// Bytes of a client at a server.
  package static let tlsServer = FuzzTarget(name: "tls-server", bytesMax: 2_048) { try handshake($0, isServer: true) }
  /// Bytes of a server at a client.
  package static let tlsClient = FuzzTarget(name: "tls-client", bytesMax: 2_048) { try handshake($0, isServer: false) }

  /// The first byte chooses: `r` gives the rest as it is, anything else changes a real handshake: each four bytes are a place
  /// (two, in all that the other side sends), a bit and nothing.
  private static func handshake(_ bytes: [UInt8], isServer: Bool) throws {
    var input = FuzzInput(bytes)
    let choice = input.choice()
    let rest = input.rest()
    try TLSFuzzWorld.shared.withLock { world in
      let mine = try TLSPeer(isServer ? world.server : world.client)
      if choice == UInt8(ascii: "r") {
        mine.receive([])
        mine.receive(rest)
        return try check(mine)
      }
      let other = try TLSPeer(isServer ? world.client : world.server)
      mine.runSize = Int(choice & 31) + 1
      var changes = Changes(rest)
      mine.receive([])
      other.receive([])
      for _ in 0..<6 {
        other.receive(mine.takeOutput())
        mine.receive(changes.apply(other.takeOutput()))
      }
      try check(mine)
      if !changes.changed { try require(mine.isEstablished && !mine.hasFailed, "nothing was wrong") }
    }
  }

  private static func check(_ peer: TLSPeer) throws {
    let text = peer.handshake.failureText()
    if peer.hasFailed {
      try require(text.hasPrefix("TLS_error:|") && text.hasSuffix(":TLS_error_end"), "the text \(text)")
      try require(text.utf8.count <= TLSFailureText.bytesMax, "a long text")
      try require(text.utf8.allSatisfy { $0 >= 0x20 }, "control characters in \(text)")
    } else {
      try requireEqual(text, "", "text without a failure")
    }
  }
}

/// Bits to flip in a stream that comes in parts.
private struct Changes {
  private var flips: [Int: UInt8] = [:]
  private var at = 0
  private(set) var changed = false

  init(_ bytes: [UInt8]) {
    for start in stride(from: 0, to: bytes.count - 3, by: 4) {
      flips[Int(bytes[start] & 15) << 8 | Int(bytes[start + 1])] = 1 << (bytes[start + 2] & 7)
    }
  }

  mutating func apply(_ bytes: [UInt8]) -> [UInt8] {
    defer { at += bytes.count }
    return bytes.enumerated().map { offset, byte in
      guard let bit = flips[at + offset] else { return byte }
      changed = true
      return byte ^ bit
    }
  }
}
