import HTTP1Harness
import HTTPCore
import HTTPHarness
import Primitives
import Testing

@testable import HTTP1

/// Corrupted messages: nothing may trap, and how a message is cut must not matter.
@Suite struct MutationTests {
  /// Bytes that matter to a parser of HTTP.
  private static let interesting: [UInt8] =
    Array("\r\n \t:;,/\0%#?@[]0129afAFxG-_".utf8) + [0x7F, 0x80, 0xFF]

  private func mutate(_ input: [UInt8], _ random: inout FastRandom) -> [UInt8] {
    var bytes = input
    for _ in 0...random.below(3) {
      let at = bytes.isEmpty ? 0 : Int(random.below(UInt32(bytes.count)))
      switch random.below(6) {
      case 0: if !bytes.isEmpty { bytes.remove(at: at) }
      case 1: bytes.insert(pick(&random), at: at)
      case 2: if !bytes.isEmpty { bytes[at] = pick(&random) }
      case 3: if !bytes.isEmpty { bytes[at] ^= 1 << UInt8(random.below(8)) }
      case 4:
        let end = min(bytes.count, at + Int(random.below(40)))
        bytes.insert(contentsOf: bytes[at..<end], at: at)
      default:
        let end = min(bytes.count, at + Int(random.below(10)))
        bytes.removeSubrange(at..<end)
      }
    }
    return bytes
  }

  private func pick(_ random: inout FastRandom) -> UInt8 {
    Self.interesting[Int(random.below(UInt32(Self.interesting.count)))]
  }

  private func randomEnds(_ count: Int, _ random: inout FastRandom) -> [Int] {
    var ends: [Int] = []
    var at = 0
    while at < count {
      at = min(count, at + 1 + Int(random.below(random.below(2) == 0 ? 3 : 40)))
      ends.append(at)
    }
    return ends
  }

  private func checkHeads(_ inputs: [[UInt8]], _ parser: HeadParser, seed: UInt64) {
    var random = FastRandom(seed: seed)
    var failures = 0
    for round in 0..<10_000 {
      let bytes = mutate(inputs[round % inputs.count], &random)
      let whole = parser.parse(bytes)
      if whole.error != nil { failures += 1 }
      if bytes.isEmpty { continue }
      for ends in [Array(1...bytes.count), randomEnds(bytes.count, &random)] {
        let outcome = parser.parse(bytes, ends: ends)
        if outcome != whole {
          #expect(outcome == whole, "seed \(seed), round \(round), \(bytes)")
        }
      }
    }
    #expect(failures > 1000, "the corruption must be felt")
    #expect(failures < 10_000)
  }

  @Test func requests() {
    let inputs = (RequestHeadTests.accepted.map(\.input) + SmugglingTests.corpus.map(\.input))
      .map(\.wire).filter { $0.count < 300 }
    let options = HTTP1RequestOptions(acceptHTTP10: true, underscores: .reject)
    checkHeads(inputs, HeadParser(options: options), seed: 1)
    let limits = HTTP1Limits(headBytesMax: 90, fieldCountMax: 4)
    checkHeads(inputs, HeadParser(limits: limits), seed: 2)
  }

  @Test func responses() {
    let inputs = ResponseHeadTests.accepted.map(\.input.wire)
    checkHeads(inputs, HeadParser(responseTo: .get), seed: 3)
  }

  @Test func chunks() {
    let inputs = ChunkedDecoderTests.rows.map(\.input.wire)
    let limits = HTTP1Limits(fieldCountMax: 2, chunkLineBytesMax: 20, trailerBytesMax: 20)
    var random = FastRandom(seed: 4)
    for round in 0..<10_000 {
      let bytes = mutate(inputs[round % inputs.count], &random)
      let whole = decodeChunks(bytes, ends: [bytes.count], limits: limits)
      if bytes.isEmpty { continue }
      for ends in [Array(1...bytes.count), randomEnds(bytes.count, &random)] {
        let outcome = decodeChunks(bytes, ends: ends, limits: limits)
        if outcome != whole { #expect(outcome == whole, "round \(round), \(bytes)") }
      }
    }
  }

  /// Bytes with no structure at all.
  @Test func noise() {
    var random = FastRandom(seed: 5)
    for round in 0..<5_000 {
      let bytes = (0..<random.below(60)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      for parser in [HeadParser(), HeadParser(responseTo: .head)] {
        let whole = parser.parse(bytes)
        if !bytes.isEmpty, parser.parse(bytes, ends: 1...bytes.count) != whole {
          Issue.record("round \(round): \(bytes)")
        }
      }
    }
  }
}
