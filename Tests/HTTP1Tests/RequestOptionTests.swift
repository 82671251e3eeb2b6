import HTTP1Harness
import HTTPCore
import HTTPHarness
import Testing

@testable import HTTP1

@Suite struct RequestOptionTests {
  private func parse(_ input: String, _ parser: HeadParser) -> Outcome {
    let (outcome, differing) = parser.parseEveryWay(input.wire)
    #expect(differing == [])
    return outcome
  }

  @Test func absoluteFormCanBeRefused() {
    let parser = HeadParser(options: HTTP1RequestOptions(allowAbsoluteURL: false))
    #expect(parse("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", parser) == .failed(.badTarget))
  }

  @Test func http10() throws {
    let parser = HeadParser(options: HTTP1RequestOptions(acceptHTTP10: true))
    let plain = try #require(parse("GET / HTTP/1.0\r\n\r\n", parser).request)
    #expect(plain.isHTTP10)
    #expect(!plain.keepAlive)
    #expect(plain.fields == [":method: GET", ":path: /"])
    let kept = try #require(
      parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nHost: a\r\n\r\n", parser).request)
    #expect(kept.keepAlive)
    let expecting = try #require(
      parse(
        "PUT / HTTP/1.0\r\nHost:\r\nExpect: 100-continue\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        parser
      ).request)
    #expect(!expecting.expectContinue)
    #expect(!expecting.isUpgrade)
    #expect(
      parse("PUT / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", parser)
        == .failed(.transferEncodingInHTTP10))
  }

  @Test func chunkedWithLength() throws {
    let input =
      "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    #expect(parse(input, HeadParser()) == .failed(.lengthAndChunked))
    let lenient = HeadParser(options: HTTP1RequestOptions(allowChunkedLength: true))
    let request = try #require(parse(input, lenient).request)
    #expect(request.framing == .chunked)
    #expect(request.fields == [":method: PUT", ":path: /", ":authority: a"])
    #expect(!request.keepAlive)
  }

  @Test func underscores() throws {
    let input = "GET / HTTP/1.1\r\nHost: a\r\nx_y: 1\r\nx-y: 2\r\nLong_Name_With_More: 3\r\n\r\n"
    let allowed = try #require(parse(input, HeadParser()).request)
    #expect(allowed.fields.suffix(3) == ["x_y: 1", "x-y: 2", "long_name_with_more: 3"])
    let dropped = try #require(
      parse(input, HeadParser(options: HTTP1RequestOptions(underscores: .drop))).request)
    #expect(dropped.fields.suffix(2) == [":authority: a", "x-y: 2"])
    let reject = HeadParser(options: HTTP1RequestOptions(underscores: .reject))
    #expect(parse(input, reject) == .failed(.underscoreName))
    #expect(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", reject).request != nil)
  }

  @Test func upgrades() throws {
    let input = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    let plain = try #require(parse(input, HeadParser()).request)
    #expect(plain.isUpgrade)
    #expect(plain.fields.count == 3)
    let kept = try #require(parse(input, HeadParser(keepUpgrade: true)).request)
    #expect(kept.fields.last == "upgrade: websocket")
    let unnamed = try #require(
      parse("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", HeadParser()).request)
    #expect(!unnamed.isUpgrade)
  }

  @Test func expectation() throws {
    let request = try #require(
      parse("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n", HeadParser()).request)
    #expect(request.expectContinue)
    #expect(request.fields.last == "expect: 100-Continue")
  }
}
