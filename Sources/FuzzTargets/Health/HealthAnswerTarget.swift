import ConfigCompiler
import Primitives
import Upstreams

extension FuzzTarget {
  /// What hosts answer to checks: a choice of the protocol, one of the cut, then the bytes.
  package static let healthAnswer = FuzzTarget(name: "health-answer", bytesMax: 2048) { bytes in
    var input = FuzzInput(bytes)
    let kind = input.choice() % 4
    let cut = Int(input.choice()) + 1
    let rest = input.rest()
    switch kind {
    case 0: try requireSame(rest, cut) { RedisDialogue(ActiveCheck.Redis(key: "")) }
    case 1: try requireSame(rest, cut) { RedisDialogue(ActiveCheck.Redis(key: "k")) }
    case 2: try checkBlocks(rest, cut)
    default: try checkServingStatus(rest)
    }
  }

  /// The verdict does not depend on how the bytes come.
  private static func requireSame(
    _ bytes: [UInt8], _ cut: Int, _ make: () -> any ProbeDialogue
  ) throws(Violation) {
    let whole = verdict(bytes, max(1, bytes.count), make())
    for step in [1, cut] { try requireEqual(verdict(bytes, step, make()), whole, "in pieces of \(step)") }
  }

  private static func verdict(_ bytes: [UInt8], _ step: Int, _ dialogue: any ProbeDialogue) -> String {
    _ = dialogue.begin(isNew: true)
    for from in stride(from: 0, to: bytes.count, by: step) {
      let piece = Array(bytes[from..<min(from + step, bytes.count)])
      let result = piece.withUnsafeBufferPointer { buffer in
        buffer.baseAddress.flatMap { dialogue.heard(ByteView($0, buffer.count)) }
      }
      if let result { return "\(result.outcome) \(result.text)" }
    }
    return "waits"
  }

  /// The first bytes are the blocks: each a length and that many bytes, until a length of 0.
  private static func checkBlocks(_ bytes: [UInt8], _ cut: Int) throws(Violation) {
    var rest = bytes[...]
    var blocks: [[UInt8]] = []
    while let length = rest.popFirst(), length > 0, blocks.count < 8 {
      blocks.append(Array(rest.prefix(Int(length % 16))))
      rest = rest.dropFirst(Int(length % 16))
    }
    let match = PayloadMatch(blocks)
    let text = Array(rest)
    let expected = match.matches(text)
    for step in [1, cut, max(1, text.count)] {
      var stream = PayloadStreamMatch(match)
      for from in stride(from: 0, to: text.count, by: step) {
        stream.take(text[from..<min(from + step, text.count)])
      }
      try requireEqual(stream.isComplete, expected, "in pieces of \(step)")
    }
  }

  /// A message that is read says the same when an unknown field follows.
  private static func checkServingStatus(_ bytes: [UInt8]) throws(Violation) {
    guard let status = GRPCCheck.servingStatus(bytes) else { return }
    var longer = Array(bytes[5...]) + [0x18, 7]
    let count = UInt32(truncatingIfNeeded: longer.count)
    longer = [0, UInt8(count >> 24), UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)] + longer
    try requireEqual(GRPCCheck.servingStatus(longer), status, "with another field")
  }
}
