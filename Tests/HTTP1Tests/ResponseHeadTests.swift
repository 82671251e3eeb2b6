import HTTP1Harness
import HTTPCore
import HTTPHarness
import Testing

@testable import HTTP1

@Suite struct ResponseHeadTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let input: String
    let framing: BodyFraming
    let keepAlive: Bool
    let fields: [String]
    let method: RequestMethod

    init(
      _ name: String, _ input: String, _ framing: BodyFraming, keepAlive: Bool = true,
      to method: RequestMethod = .get, _ fields: [String]
    ) {
      testDescription = name
      self.input = input
      self.framing = framing
      self.keepAlive = keepAlive
      self.fields = fields
      self.method = method
    }
  }

  static let accepted: [Row] = [
    Row(
      "length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", .length(5),
      [":status: 200", "content-length: 5"]),
    Row(
      "length 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", .none,
      [":status: 200", "content-length: 0"]),
    Row(
      "chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .chunked, [":status: 200"]
    ),
    Row("neither", "HTTP/1.1 200 OK\r\n\r\n", .untilClose, keepAlive: false, [":status: 200"]),
    Row(
      "no reason", "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", .length(5),
      [":status: 200", "content-length: 5"]),
    Row(
      "no reason, no space", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", .length(5),
      [":status: 200", "content-length: 5"]),
    Row(
      "odd reason", "HTTP/1.1 299 a\tb \u{E4} :;\r\nContent-Length: 5\r\n\r\n", .length(5),
      [":status: 299", "content-length: 5"]),
    Row(
      "code 999", "HTTP/1.1 999 x\r\nContent-Length: 5\r\n\r\n", .length(5),
      [":status: 999", "content-length: 5"]),
    Row(
      "close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n", .length(5),
      keepAlive: false, [":status: 200", "content-length: 5"]),
    Row(
      "HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", .length(5), keepAlive: false,
      [":status: 200", "content-length: 5"]),
    Row(
      "HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
      .length(5), [":status: 200", "content-length: 5"]),
    Row(
      "HEAD, length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", .none, to: .head,
      [":status: 200", "content-length: 5"]),
    Row(
      "HEAD, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .none, to: .head,
      [":status: 200"]),
    Row("HEAD, neither", "HTTP/1.1 200 OK\r\n\r\n", .none, to: .head, [":status: 200"]),
    Row(
      "304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", .none,
      [":status: 304", "content-length: 5"]),
    Row("204", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", .none, [":status: 204"]),
    Row("100", "HTTP/1.1 100 Continue\r\n\r\n", .none, [":status: 100"]),
    Row(
      "101", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", .untilClose,
      keepAlive: false, [":status: 101"]),
    Row(
      "CONNECT accepted", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", .untilClose,
      keepAlive: false, to: .connect, [":status: 200"]),
    Row(
      "CONNECT refused", "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n", .length(5), to: .connect,
      [":status: 403", "content-length: 5"]),
    Row(
      "fields of the connection go",
      "HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nSET-COOKIE: a\r\nSet-Cookie: b\r\nContent-Length: 5\r\n\r\n",
      .length(5), [":status: 200", "set-cookie: a", "set-cookie: b", "content-length: 5"]),
  ]

  @Test(arguments: accepted)
  func accepts(_ row: Row) throws {
    let (outcome, differing) = HeadParser(responseTo: row.method).parseEveryWay(row.input.wire)
    #expect(differing == [])
    let response = try #require(outcome.response, "\(outcome)")
    #expect(response.length == row.input.wire.count)
    #expect(response.fields == row.fields)
    #expect(response.framing == row.framing)
    #expect(response.keepAlive == row.keepAlive)
    #expect(
      response.isTunnel
        == (response.status == 101 || row.method == .connect && response.status == 200))
  }

  static let refused: [Refused] = [
    Refused("empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", .badStatusLine),
    Refused("other protocol", "ICY 200 OK\r\n\r\n", .badStatusLine),
    Refused("rubbish", "\u{15}\u{3}\u{1}", .badStatusLine),
    Refused("lower case", "http/1.1 200 OK\r\n\r\n", .badStatusLine),
    Refused("HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", .unsupportedVersion),
    Refused("two digits", "HTTP/1.1 20 OK\r\n\r\n", .badStatusLine),
    Refused("four digits", "HTTP/1.1 2000 OK\r\n\r\n", .badStatusLine),
    Refused("code 099", "HTTP/1.1 099 OK\r\n\r\n", .badStatusLine),
    Refused("code with letters", "HTTP/1.1 2x0 OK\r\n\r\n", .badStatusLine),
    Refused("two spaces", "HTTP/1.1  200 OK\r\n\r\n", .badStatusLine),
    Refused("control in the reason", "HTTP/1.1 200 O\u{1}K\r\n\r\n", .badStatusLine),
    Refused("bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", .bareLineFeed),
    Refused("bare LF after the code", "HTTP/1.1 200\nContent-Length: 0\n\n", .bareLineFeed),
    Refused("bare CR", "HTTP/1.1 200 OK\rX\r\n\r\n", .bareCarriageReturn),
    Refused("folded field", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", .obsoleteFold),
    Refused("space before colon", "HTTP/1.1 200 OK\r\nX : a\r\n\r\n", .badFieldName),
    Refused(
      "CL and TE", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      .lengthAndChunked),
    Refused(
      "CL twice", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
      .conflictingLength),
    Refused("CL list", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", .conflictingLength),
    Refused("CL sign", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", .badLength),
    Refused(
      "other coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
      .unsupportedTransferEncoding),
    Refused(
      "chunked in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      .transferEncodingInHTTP10),
    Refused(
      "chunked 204", "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n",
      .transferEncodingNotAllowed),
    Refused("100 with length", "HTTP/1.1 100 x\r\nContent-Length: 5\r\n\r\n", .lengthNotAllowed),
    Refused(
      "nominating content-length",
      "HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 5\r\n\r\n",
      .badConnectionOption),
  ]

  @Test(arguments: refused)
  func refuses(_ row: Refused) {
    let (outcome, differing) = HeadParser(responseTo: .get).parseEveryWay(row.input.wire)
    #expect(outcome == .failed(row.error))
    #expect(differing == [])
  }

  @Test func upgradeIsKeptWhenAsked() throws {
    let input = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n".wire
    let parser = HeadParser(keepUpgrade: true, responseTo: .get)
    #expect(
      try #require(parser.parse(input).response).fields == [":status: 101", "upgrade: websocket"])
  }

  @Test func interim() {
    var head = ResponseHead()
    for (status, interim): (UInt16, Bool) in [(100, true), (103, true), (101, false), (200, false)]
    {
      head.status = status
      #expect(head.isInterim == interim)
    }
  }
}
