import HTTPHarness
import Primitives
import TLS
import TLSHarness

extension FuzzTarget {
  /// First messages of TLS clients.
  package static let clientHello = FuzzTarget(name: "client-hello", bytesMax: 1_024) { bytes in
    // Every beginning wants more until one does not, and from there on nothing changes.
    var decided: (seen: HelloSeen, at: Int)?
    for end in 0...bytes.count {
      if let decided, end > decided.at + 8, end < bytes.count { continue }
      let seen = HelloSeen(bytes[..<end])
      if let decided {
        try requireEqual(seen, decided.seen, "\(end) bytes, decided at \(decided.at)")
      } else if seen != .needMore {
        decided = (seen, end)
      }
    }
    guard let decided, case .complete(let name, let protocols, let recordBytes) = decided.seen else { return }
    try requireEqual(recordBytes, decided.at, "length")
    // Where OpenSSL reads a hello too, it must find the same in it.
    guard let reference = ReferenceHello(bytes) else { return }
    try requireEqual(name, reference.serverName.map { Array($0.dropFirst(5)) } ?? [], "server name")
    try requireEqual(protocols, reference.protocols.map { Array($0.dropFirst(2)) } ?? [], "protocols")
  }
}

/// An outcome that outlives its bytes.
private enum HelloSeen: Equatable {
  case needMore, notTLS, malformed, tooLarge
  case complete(name: [UInt8], protocols: [UInt8], recordBytes: Int)

  init(_ bytes: some Collection<UInt8>) {
    let limit = 1_500
    self = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: limit) { scratch in
      withExactCopy(bytes) { view in
        switch ClientHello.parse(view, limit: limit, scratch: scratch.baseAddress!) {
        case .needMore: .needMore
        case .notTLS: .notTLS
        case .malformed: .malformed
        case .tooLarge: .tooLarge
        case .complete(let hello):
          .complete(
            name: hello.serverName.array, protocols: hello.protocols.array, recordBytes: hello.recordBytes)
        }
      }
    }
  }
}
