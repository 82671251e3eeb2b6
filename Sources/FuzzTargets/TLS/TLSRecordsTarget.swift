import Primitives
import Synchronization
import TLS
import TLSHarness

extension FuzzTarget {
  /// Records of a connection whose keys are known: right ones, in any order, with changed bytes.
  ///
  /// The first byte chooses suite and version, the second the size of runs; then each line is an operation: `d` data, `h` a
  /// handshake record, `a` an alert, `z` another type, `k` a KeyUpdate, `f` flips a bit at a place.
  package static let tlsRecords = FuzzTarget(name: "tls-records", bytesMax: 512) { bytes in
    var input = FuzzInput(bytes)
    let choice = input.choice()
    let suite = RecordSuite.allCases[Int(choice & 3) % RecordSuite.allCases.count]
    let isTLS13 = choice.bit(2)
    let isClient = choice.bit(3)
    let runSize = Int(input.choice() & 63) + 1
    let plan = RecordPlan(&input, isTLS13: isTLS13)
    try TLSFuzzWorld.shared.withLock { world in
      func peer(isClient: Bool) throws -> DetachedPeer {
        let secrets = (0..<48).map { UInt8($0) }
        let made = secrets.withUnsafeBufferPointer { secrets -> RecordProtection? in
          let secret = ByteView(secrets.baseAddress!, suite.secretCount)
          let whole = Array(secrets) + Array(secrets.prefix(16))
          return isTLS13
            ? RecordProtection(world.library, suite: suite, readSecret: secret, writeSecret: secret)
            : whole.withUnsafeBufferPointer {
              RecordProtection(
                world.library, suite: suite, isServer: !isClient, master: ByteView(secrets.baseAddress!, 48),
                randoms: ByteView($0.baseAddress!, 64), nonce: 0)
            }
        }
        guard let made else { throw Violation(description: "no keys") }
        return DetachedPeer(made, isClient: isClient)
      }
      let stream = plan.stream(by: try peer(isClient: !isClient))
      let whole = try peer(isClient: isClient)
      whole.receive(stream)
      let runs = try peer(isClient: isClient)
      runs.receive(stream, runSize: runSize)
      let cut = try peer(isClient: isClient)
      var at = 0
      while at < stream.count {
        let next = min(at + runSize, stream.count)
        cut.receive(stream[at..<next])
        at = next
      }
      for other in [runs, cut] {
        try requireEqual(other.events, whole.events, "events")
        try requireEqual(other.takeReceived(), whole.received, "plaintext")
        try requireEqual(other.takeOutput(), whole.output, "answers")
      }
      let received = whole.received
      try require(plan.data.starts(with: received), "plaintext that was not sent")
      if plan.isPlain { try require(received.count == plan.data.count && whole.events.isEmpty, "nothing was wrong") }
    }
  }
}

/// What the other side does.
private struct RecordPlan {
  enum Operation {
    case record(type: UInt8, [UInt8])
    case keyUpdate(asks: Bool)
  }

  var operations: [Operation] = []
  var flips: [(at: Int, bit: UInt8)] = []
  /// All data, in order.
  var data: [UInt8] = []
  /// Whether there is nothing but data.
  var isPlain = true

  init(_ input: inout FuzzInput, isTLS13: Bool) {
    var empty = 0
    while let line = input.line(), let first = line.first {
      let rest = Array(line.dropFirst())
      switch first {
      case UInt8(ascii: "d"):
        operations.append(.record(type: 23, rest))
        data += rest
        empty += rest.isEmpty ? 1 : 0
      case UInt8(ascii: "h"): operations.append(.record(type: 22, rest))
      case UInt8(ascii: "a"): operations.append(.record(type: 21, rest))
      case UInt8(ascii: "z"):
        let type = rest.first ?? 0
        operations.append(.record(type: type, Array(rest.dropFirst())))
        data += Self.data(Array(rest.dropFirst()), type, isTLS13: isTLS13)
      case UInt8(ascii: "k"): operations.append(.keyUpdate(asks: rest.first == UInt8(ascii: "?")))
      case UInt8(ascii: "f"):
        let places = rest.prefix(3) + [0, 0, 0]
        flips.append((Int(places[0]) << 8 | Int(places[1]), places[2]))
      default: break
      }
      if first != UInt8(ascii: "d") { isPlain = false }
    }
    if empty > 0 { isPlain = false }
  }

  /// The data that such a record carries: in TLS 1.3 a type of 0 is padding, and the byte before it the type.
  private static func data(_ content: [UInt8], _ type: UInt8, isTLS13: Bool) -> [UInt8] {
    guard isTLS13 else { return type == 23 ? content : [] }
    let whole = content + [type]
    guard let last = whole.lastIndex(where: { $0 != 0 }), whole[last] == 23 else { return [] }
    return Array(whole[..<last])
  }

  func stream(by sender: DetachedPeer) -> [UInt8] {
    for operation in operations {
      switch operation {
      case .record(let type, let content): sender.append(content, type: type)
      case .keyUpdate(let asks):
        if sender.protection.isTLS13 { sender.updateKeys(asksForAnswer: asks) }
      }
    }
    var stream = sender.takeOutput()
    for flip in flips where !stream.isEmpty { stream[flip.at % stream.count] ^= 1 << (flip.bit & 7) }
    return stream
  }
}
