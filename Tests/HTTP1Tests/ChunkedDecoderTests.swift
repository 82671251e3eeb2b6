import HTTP1Harness
import HTTPHarness
import Testing

@testable import HTTP1

@Suite struct ChunkedDecoderTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let input: String
    let content: String
    let trailers: String
    let ending: ChunkOutcome.Ending

    init(
      _ name: String, _ input: String, _ content: String, trailers: String = "",
      _ ending: ChunkOutcome.Ending = .end(left: 0)
    ) {
      testDescription = name
      self.input = input
      self.content = content
      self.trailers = trailers
      self.ending = ending
    }
  }

  static let rows: [Row] = [
    Row("empty", "0\r\n\r\n", ""),
    Row("one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"),
    Row("hexadecimal", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
    Row("leading zeros", "0005\r\nhello\r\n000\r\n\r\n", "hello"),
    Row("line ends as content", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"),
    Row("extension", "5;a=b;c=\"d;e\" ;f\r\nhello\r\n0;last\r\n\r\n", "hello"),
    Row("white space before an extension", "5 \t;a\r\nhello\r\n0\r\n\r\n", "hello"),
    Row("next message", "1\r\na\r\n0\r\n\r\nGET", "a", .end(left: 3)),
    Row(
      "trailers", "1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\nG", "a", trailers: "X: y\r\nZ:\r\n\r\n",
      .end(left: 1)),
    Row("unfinished", "5\r\nhel", "hel", .needMore),
    Row("no size", "\r\nhello\r\n0\r\n\r\n", "", .failed(.badChunkSize)),
    Row("sign", "+5\r\nhello\r\n0\r\n\r\n", "", .failed(.badChunkSize)),
    Row("minus", "-5\r\nhello\r\n0\r\n\r\n", "", .failed(.badChunkSize)),
    Row("0x", "0x5\r\nhello\r\n0\r\n\r\n", "", .failed(.badChunkSize)),
    Row("underscore", "1_0\r\n", "", .failed(.badChunkSize)),
    Row("leading space", " 5\r\nhello\r\n0\r\n\r\n", "", .failed(.badChunkSize)),
    Row("trailing space", "5 \r\nhello\r\n0\r\n\r\n", "", .failed(.badChunkSize)),
    Row("not hexadecimal", "g\r\n", "", .failed(.badChunkSize)),
    Row("largest", "7fffffffffffffff\r\nx", "x", .needMore),
    Row("2^63", "8000000000000000\r\n", "", .failed(.chunkTooLarge)),
    Row("2^64", "10000000000000000\r\n", "", .failed(.chunkTooLarge)),
    Row("wraps to 5", "10000000000000005\r\nhello", "", .failed(.chunkTooLarge)),
    Row("bare LF after the size", "5\nhello\r\n0\r\n\r\n", "", .failed(.bareLineFeed)),
    Row("bare CR after the size", "5\rhello\r\n0\r\n\r\n", "", .failed(.bareCarriageReturn)),
    Row("bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n", "", .failed(.bareLineFeed)),
    Row("bare CR in an extension", "5;a\rb\r\nhello\r\n", "", .failed(.bareCarriageReturn)),
    Row("NUL in an extension", "5;a\0\r\nhello\r\n", "", .failed(.badChunkSize)),
    Row("data too long", "1\r\nabc\r\n0\r\n\r\n", "a", .failed(.badChunkEnd)),
    Row("data too short", "5\r\nhel\r\n0\r\n\r\n", "hel\r\n", .failed(.badChunkEnd)),
    Row("LF after data", "1\r\na\n0\r\n\r\n", "a", .failed(.badChunkEnd)),
    Row("CR after data", "1\r\na\r0\r\n\r\n", "a", .failed(.badChunkEnd)),
    Row("empty line after data", "1\r\na\r\n\r\n0\r\n\r\n", "a", .failed(.badChunkSize)),
    Row("bare LF at the end", "0\r\n\n", "", .failed(.badTrailer)),
    Row("bare CR at the end", "0\r\n\rX", "", .failed(.badTrailer)),
    Row("trailer without colon", "0\r\nfoo\r\n\r\n", "", .failed(.badTrailer)),
    Row("trailer with bare LF", "0\r\nX: y\nZ: z\r\n\r\n", "", .failed(.badTrailer)),
    Row("folded trailer", "0\r\n X: y\r\n\r\n", "", .failed(.badTrailer)),
  ]

  @Test(arguments: rows)
  func decodes(_ row: Row) {
    let (outcome, differing) = decodeChunksEveryWay(row.input.wire)
    #expect(outcome.content == row.content.wire)
    #expect(outcome.trailers == row.trailers.wire)
    #expect(outcome.ending == row.ending)
    #expect(differing == [])
  }

  @Test func lineLengthIsBounded() {
    let limits = HTTP1Limits(chunkLineBytesMax: 8)
    for (line, fits) in [
      ("00000005", true), ("000000005", false), ("5;aaaaaa", true), ("5;aaaaaaa", false),
      ("5       ;", false),
    ] {
      let (outcome, differing) = decodeChunksEveryWay(
        "\(line)\r\nhello\r\n0\r\n\r\n".wire, limits: limits)
      #expect(outcome.ending == (fits ? .end(left: 0) : .failed(.chunkTooLarge)), "\(line)")
      #expect(differing == [])
    }
  }

  @Test func trailersAreBounded() {
    let section = "X: y\r\nZ: z\r\n\r\n"
    let input = "0\r\n\(section)".wire
    let enough = HTTP1Limits(trailerBytesMax: UInt32(section.wire.count))
    #expect(decodeChunksEveryWay(input, limits: enough).outcome.ending == .end(left: 0))
    for limit in 0..<section.wire.count {
      for ends in [[input.count], Array(1...input.count)] {
        let limits = HTTP1Limits(trailerBytesMax: UInt32(limit))
        #expect(decodeChunks(input, ends: ends, limits: limits).ending == .failed(.badTrailer))
      }
    }
    let few = HTTP1Limits(fieldCountMax: 1)
    #expect(decodeChunks(input, ends: [input.count], limits: few).ending == .failed(.badTrailer))
  }

  @Test func lengthDecoderStopsAtTheEnd() {
    var decoder = LengthDecoder(length: 10)
    #expect(decoder.take(4) == 4)
    #expect(!decoder.isComplete)
    #expect(decoder.take(0) == 0)
    #expect(decoder.take(100) == 6)
    #expect(decoder.isComplete)
    #expect(decoder.take(1) == 0)
    var huge = LengthDecoder(length: .max)
    #expect(huge.take(.max) == .max)
    #expect(huge.remaining == .max - UInt64(Int.max))
  }
}
