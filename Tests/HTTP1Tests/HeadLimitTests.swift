import HTTP1Harness
import HTTPHarness
import Primitives
import Testing

@testable import HTTP1

@Suite struct HeadLimitTests {
  @Test func headBytes() {
    let input = "GET / HTTP/1.1\r\nHost: a\r\nX: abcdefghijklmnopqrstuvwxyz\r\n\r\n".wire
    for limit in 0..<input.count {
      let parser = HeadParser(limits: HTTP1Limits(headBytesMax: UInt32(limit)))
      let (outcome, differing) = parser.parseEveryWay(input)
      #expect(outcome == .failed(.headTooLarge))
      #expect(differing == [])
    }
    let enough = HeadParser(limits: HTTP1Limits(headBytesMax: UInt32(input.count)))
    let (outcome, differing) = enough.parseEveryWay(input)
    #expect(outcome.request != nil)
    #expect(differing == [])
  }

  @Test func fieldCount() {
    let input = "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\r\n".wire
    for limit: UInt32 in 0..<3 {
      let (outcome, differing) = HeadParser(limits: HTTP1Limits(fieldCountMax: limit))
        .parseEveryWay(input)
      #expect(outcome == .failed(.tooManyFields))
      #expect(differing == [])
    }
    let (outcome, differing) = HeadParser(limits: HTTP1Limits(fieldCountMax: 3))
      .parseEveryWay(input)
    #expect(outcome.request != nil)
    #expect(differing == [])
  }

  /// The scanner must look at each byte once: a head of 60 KiB one byte at a time would take
  /// minutes otherwise.
  @Test func longHeadsByteByByteAreLinear() {
    let input =
      Array("GET /".utf8) + Array(repeating: UInt8(ascii: "a"), count: 30_000)
      + Array(" HTTP/1.1\r\nHost: a\r\nX: ".utf8)
      + Array(repeating: UInt8(ascii: "b"), count: 30_000)
    withExactCopy(input) { view in
      var scanner = HeadScanner.request()
      for end in 1...view.count {
        let verdict = scanner.scan(view.prefix(end), limits: HTTP1Limits())
        if verdict != .needMore { #expect(verdict == .needMore, "\(end)") }
      }
      #expect(
        scanner.scan(view, limits: HTTP1Limits(headBytesMax: 60_000)) == .failed(.headTooLarge))
    }
  }
}
