import ConfigCompiler
import Foundation
import HostHealth
import Primitives
import Testing

@testable import Upstreams

/// What hosts may answer to checks, in every split.
struct CheckAnswerTests {
  /// The result of a dialogue when the answer comes in two pieces.
  private func results(_ make: () -> any ProbeDialogue, _ answer: String) -> [String] {
    let bytes = Array(answer.utf8)
    return (0...bytes.count).map { split in
      let dialogue = make()
      _ = dialogue.begin(isNew: true)
      for piece in [bytes[..<split], bytes[split...]] where !piece.isEmpty {
        let result = Array(piece).withUnsafeBufferPointer { buffer in
          buffer.baseAddress.flatMap { dialogue.heard(ByteView($0, buffer.count)) }
        }
        guard let result else { continue }
        switch result.outcome {
        case .passed: return "passed"
        case .failed(let failure, _, _): return "\(failure) \(result.text)"
        }
      }
      return "waits"
    }
  }

  @Test(arguments: [
    ("", "+PONG\r\n", "passed"), ("", "+PONG\n", "passed"), ("", "+PING\r\n", "active \"+PING\", expected PONG"),
    ("", "-ERR no\r\n", "active \"-ERR no\", expected PONG"), ("", "+PONG", "waits"), ("", "\n", "active \"\", expected PONG"),
    ("k", ":0\r\n", "passed"), ("k", ":1\r\n", "active \":1\", expected :0"), ("k", "+PONG\r\n", "active \"+PONG\", expected :0"),
  ])
  func redis(key: String, answer: String, expected: String) {
    let all = results({ RedisDialogue(ActiveCheck.Redis(key: key)) }, answer)
    #expect(Set(all) == [expected])
  }

  @Test func redisCommands() {
    #expect(RedisDialogue.command(["PING"]) == Array("*1\r\n$4\r\nPING\r\n".utf8))
    #expect(RedisDialogue.command(["EXISTS", "a key"]) == Array("*2\r\n$6\r\nEXISTS\r\n$5\r\na key\r\n".utf8))
  }

  @Test func aLineWithoutEndIsNoAnswer() {
    let all = results({ RedisDialogue(ActiveCheck.Redis(key: "")) }, String(repeating: "x", count: 3000))
    #expect(Set(all) == ["active not an answer of Redis"])
  }

  @Test(arguments: [
    (["pong"], "pong", "passed"), (["pong"], "xxpongyy", "passed"), (["po", "ng"], "po--ng", "passed"),
    (["po", "ng"], "ngpo", "waits"), (["aab"], "aaab", "passed"), (["ab", "ab"], "abxab", "passed"),
    (["ab", "ab"], "abx", "waits"),
  ])
  func tcp(blocks: [String], answer: String, expected: String) {
    let tcp = ActiveCheck.TCP(
      send: [1], receive: PayloadMatch(blocks.map { Array($0.utf8) }), proxyProtocolVersion: nil)
    #expect(Set(results({ TCPDialogue(tcp) }, answer)) == [expected])
  }

  @Test func connectingIsEnough() {
    let dialogue = TCPDialogue(ActiveCheck.TCP(send: [1, 2], receive: PayloadMatch([]), proxyProtocolVersion: nil))
    let (send, result) = dialogue.begin(isNew: true)
    #expect(send == [1, 2])
    #expect(result != nil)
  }

  @Test func theProxyProtocolComesOnceAConnection() {
    for (version, header) in [(UInt8(1), Array("PROXY UNKNOWN\r\n".utf8)), (2, TCPDialogue.proxyHeader(version: 2))] {
      let dialogue = TCPDialogue(
        ActiveCheck.TCP(send: [7], receive: PayloadMatch([[1]]), proxyProtocolVersion: version))
      #expect(dialogue.begin(isNew: true).send == header + [7])
      #expect(dialogue.begin(isNew: false).send == [7])
    }
    #expect(TCPDialogue.proxyHeader(version: 2).count == 16)
  }

  // MARK: gRPC

  @Test func gRPCMessages() {
    #expect(GRPCCheck.message(service: "") == [0, 0, 0, 0, 0])
    #expect(GRPCCheck.message(service: "ab") == [0, 0, 0, 0, 4, 0x0A, 2, 0x61, 0x62])
    let long = GRPCCheck.message(service: String(repeating: "s", count: 300))
    #expect(Array(long.prefix(8)) == [0, 0, 0, 1, 0x2F, 0x0A, 0xAC, 0x02])
    #expect(long.count == 5 + 303)
  }

  @Test(arguments: [
    ([0, 0, 0, 0, 2, 8, 1], 1), ([0, 0, 0, 0, 2, 8, 2], 2), ([0, 0, 0, 0, 0], 0),
    // Unknown fields, a number of two bytes, the last one of two.
    ([0, 0, 0, 0, 6, 0x12, 2, 9, 9, 8, 1], 1), ([0, 0, 0, 0, 3, 8, 0x81, 0], 1), ([0, 0, 0, 0, 4, 8, 2, 8, 1], 1),
  ] as [([UInt8], UInt64)])
  func servingStatus(bytes: [UInt8], status: UInt64) {
    #expect(GRPCCheck.servingStatus(bytes) == status)
    for count in 0..<bytes.count { #expect(GRPCCheck.servingStatus(Array(bytes.prefix(count))) == nil) }
  }

  @Test(arguments: [
    [], [0], [1, 0, 0, 0, 2, 8, 1], [0, 0, 0, 0, 2, 8], [0, 0, 0, 0, 1, 8], [0, 255, 255, 255, 255, 8, 1],
    [0, 0, 0, 0, 2, 0x12, 5], [0, 0, 0, 0, 2, 0x0D, 1], [0, 0, 0, 0, 3, 8, 1, 8],
    [0, 0, 0, 0, 12, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
    [0, 0, 0, 0, 11, 0x12, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
  ] as [[UInt8]])
  func whatIsNoHealthResponse(bytes: [UInt8]) {
    #expect(GRPCCheck.servingStatus(bytes) == nil)
  }

  @Test func statusesAsPeopleReadThem() {
    #expect(StatusRanges([200..<201, 301..<400]).text == "200, 301-399")
  }
}
