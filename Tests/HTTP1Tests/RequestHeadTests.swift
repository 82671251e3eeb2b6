import HTTP1Harness
import HTTPHarness
import Testing

@testable import HTTP1

/// A request that must be refused, and why.
struct Refused: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let input: String
  let error: HTTP1Error

  init(_ name: String, _ input: String, _ error: HTTP1Error) {
    testDescription = name
    self.input = input
    self.error = error
  }
}

/// A head that is accepted: its map and framing.
struct Accepted: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let input: String
  let fields: [String]
  var framing: BodyFraming
  var keepAlive: Bool

  init(
    _ name: String, _ input: String, _ fields: [String], _ framing: BodyFraming = .none,
    keepAlive: Bool = true
  ) {
    testDescription = name
    self.input = input
    self.fields = fields
    self.framing = framing
    self.keepAlive = keepAlive
  }
}

@Suite struct RequestHeadTests {
  static let basic = [":method: GET", ":path: /", ":authority: a"]

  static let accepted: [Accepted] = [
    Accepted(
      "smallest", "G / HTTP/1.1\r\nHost:a\r\n\r\n", [":method: G", ":path: /", ":authority: a"]),
    Accepted("plain", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", basic),
    Accepted("a leading empty line", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", basic),
    Accepted("higher minor version", "GET / HTTP/1.7\r\nHost: a\r\n\r\n", basic),
    Accepted(
      "names in lower case, order and duplicates kept",
      "GET /x?y HTTP/1.1\r\nACCEPT: 1\r\nHost: a.b:80\r\nX-Long-Unknown-NAME: 2\r\nx: 3\r\nX: 4\r\n\r\n",
      [
        ":method: GET", ":path: /x?y", ":authority: a.b:80", "accept: 1",
        "x-long-unknown-name: 2", "x: 3", "x: 4",
      ]),
    Accepted(
      "white space around values",
      "GET / HTTP/1.1\r\nHost: \t a\t \r\nX:\tb \t c\t\r\nEmpty:\r\nBlank: \t\r\n\r\n",
      basic + ["x: b \t c", "empty: ", "blank: "]),
    Accepted(
      "every token character in a name",
      "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09Zz: x\r\n\r\n",
      basic + ["!#$%&'*+-.^_`|~09zz: x"]),
    Accepted(
      "a long value",
      "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "v", count: 1000))\r\n\r\n",
      basic + ["x: \(String(repeating: "v", count: 1000))"]),
    Accepted(
      "any visible character in a target", "GET /\"<>{}|\\^`%zz HTTP/1.1\r\nHost: a\r\n\r\n",
      [":method: GET", ":path: /\"<>{}|\\^`%zz", ":authority: a"]),
    Accepted(
      "extension method", "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n",
      [":method: M-SEARCH", ":path: /", ":authority: a"]),
    Accepted(
      "OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
      [":method: OPTIONS", ":path: *", ":authority: a"]),
    Accepted(
      "absolute form replaces Host", "GET http://b:8080/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
      [":method: GET", ":path: /x?y", ":authority: b:8080", ":scheme: http"]),
    Accepted(
      "absolute form, empty Host", "GET HTTPS://b/ HTTP/1.1\r\nHost:\r\n\r\n",
      [":method: GET", ":path: /", ":authority: b", ":scheme: https"]),
    Accepted(
      "absolute form without path", "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n",
      [":method: GET", ":path: /", ":authority: b", ":scheme: http"]),
    Accepted(
      "absolute form with a query alone", "GET http://b.c?x=/ HTTP/1.1\r\nHost: a\r\n\r\n",
      [":method: GET", ":path: /?x=/", ":authority: b.c", ":scheme: http"]),
    Accepted(
      "OPTIONS in absolute form without path", "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n",
      [":method: OPTIONS", ":path: *", ":authority: b", ":scheme: http"]),
    Accepted(
      "CONNECT", "CONNECT b:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
      [":method: CONNECT", ":authority: b:443"]),
    Accepted(
      "Host forms", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:65535\r\n\r\n",
      [":method: GET", ":path: /", ":authority: [2001:db8::1]:65535"]),
    Accepted(
      "content length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 00012\r\n\r\n",
      [":method: POST", ":path: /", ":authority: a", "content-length: 00012"], .length(12)),
    Accepted(
      "content length 0", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
      [":method: POST", ":path: /", ":authority: a", "content-length: 0"]),
    Accepted(
      "largest content length",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n",
      [":method: POST", ":path: /", ":authority: a", "content-length: 9223372036854775807"],
      .length(UInt64(Int64.max))),
    Accepted(
      "chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: cHunked\r\n\r\n",
      [":method: POST", ":path: /", ":authority: a"], .chunked),
    Accepted(
      "close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, CLOSE\r\n\r\n", basic,
      keepAlive: false),
    Accepted(
      "fields of the connection go",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive, x-a,X-LONG-B\r\nKeep-Alive: 5\r\n"
        + "Proxy-Connection: keep-alive\r\nX-A: 1\r\nX-Long-B: 2\r\nX-C: 3\r\nUpgrade: h2c\r\nTE: gzip\r\n\r\n",
      basic + ["x-c: 3"]),
    Accepted(
      "TE: trailers stays",
      "GET / HTTP/1.1\r\nHost: a\r\nTE: gzip;q=1, Trailers\r\nConnection: te\r\n\r\n",
      basic + ["te: trailers"]),
    Accepted(
      "obs-text in values", "GET / HTTP/1.1\r\nHost: a\r\nX: \u{C3}\u{A9}\r\n\r\n",
      basic + ["x: \u{E9}"]),
  ]

  @Test(arguments: accepted)
  func accepts(_ row: Accepted) throws {
    let (outcome, differing) = HeadParser().parseEveryWay(row.input.wire)
    #expect(differing == [])
    let request = try #require(outcome.request, "\(outcome)")
    #expect(request.length == row.input.wire.count)
    #expect(request.fields == row.fields)
    #expect(request.framing == row.framing)
    #expect(request.keepAlive == row.keepAlive)
    // What follows is not looked at.
    let pipelined = HeadParser().parse(row.input.wire + "\0\0GET".wire)
    #expect(pipelined == outcome)
  }

  static let refused: [Refused] = [
    // Start line
    Refused("two leading empty lines", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod),
    Refused("a leading CR", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareCarriageReturn),
    Refused("leading white space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod),
    Refused("method with a separator", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod),
    Refused("endless method", String(repeating: "M", count: 33), .badMethod),
    Refused("a TLS client hello", "\u{16}\u{3}\u{1}\u{0}\u{C8}", .badMethod),
    Refused("SSH", "SSH-2.0-x\r\n", .badMethod),
    Refused("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .http2Preface),
    Refused("HTTP/0.9", "GET /\r\n\r\n", .badVersion),
    Refused("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", .badVersion),
    Refused("tabs", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", .badMethod),
    Refused("space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", .badVersion),
    Refused("space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .badVersion),
    Refused("version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", .badVersion),
    Refused("two minor digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", .badVersion),
    Refused("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", .unsupportedVersion),
    Refused("HTTP/0.9 spelled out", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", .unsupportedVersion),
    Refused("HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", .http10Refused),
    Refused("short rubbish version", "GET / X\r\n\r\n", .badVersion),
    // Target
    Refused("fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", .fragmentInTarget),
    Refused("control in the target", "GET /a\u{1} HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("DEL in the target", "GET /a\u{7F} HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("NUL in the target", "GET /a\0 HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("byte above 0x7F in the target", "GET /\u{E4} HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("target without slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("GET *", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("other scheme", "GET ftp://b/x HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("scheme alone", "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("absolute form without host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("user information", "GET http://u@b/x HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("CONNECT without port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("CONNECT with an empty port", "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    Refused("CONNECT with a path", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
    // Host
    Refused("no Host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", .missingHost),
    Refused("no Host in absolute form", "GET http://b/ HTTP/1.1\r\n\r\n", .missingHost),
    Refused("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", .missingHost),
    Refused("Host twice", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", .multipleHosts),
    Refused("Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .badHost),
    Refused("Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .badHost),
    Refused("Host with user information", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", .badHost),
    Refused("Host with a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", .badHost),
    Refused("Host with letters as port", "GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n", .badHost),
    Refused("Host with port 65536", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", .badHost),
    Refused("Host without a name", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", .badHost),
    Refused("Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .badHost),
    Refused("Host with text after a bracket", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", .badHost),
    Refused("Host with brackets alone", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", .badHost),
    Refused("Host with bad percent", "GET / HTTP/1.1\r\nHost: a%2\r\n\r\n", .badHost),
    Refused("Host above 0x7F", "GET / HTTP/1.1\r\nHost: \u{E4}\r\n\r\n", .badHost),
    // Field syntax
    Refused("bare LF after the request line", "GET / HTTP/1.1\nHost: a\n\n", .bareLineFeed),
    Refused("bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", .bareLineFeed),
    Refused("bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed),
    Refused("CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", .bareCarriageReturn),
    Refused("CR at the end", "GET / HTTP/1.1\r\nHost: a\r\n\rX", .bareCarriageReturn),
    Refused("NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", .badFieldValue),
    Refused(
      "control in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\u{1F}b\r\n\r\n", .badFieldValue),
    Refused("DEL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\u{7F}b\r\n\r\n", .badFieldValue),
    Refused("folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", .obsoleteFold),
    Refused("folded by tab", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n", .obsoleteFold),
    Refused("space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", .obsoleteFold),
    Refused("space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", .badFieldName),
    Refused("empty name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", .badFieldName),
    Refused("no colon", "GET / HTTP/1.1\r\nHost: a\r\nfoo\r\n\r\n", .badFieldName),
    Refused("separator in a name", "GET / HTTP/1.1\r\nHost: a\r\na(b: x\r\n\r\n", .badFieldName),
    Refused(
      "pseudo-header as a field", "GET / HTTP/1.1\r\nHost: a\r\n:path: /x\r\n\r\n", .badFieldName),
    Refused("NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\na\0b: x\r\n\r\n", .badFieldName),
    Refused(
      "byte above 0x7F in a name", "GET / HTTP/1.1\r\nHost: a\r\na\u{E4}: x\r\n\r\n", .badFieldName),
    // Connection
    Refused(
      "nominating Host", "GET / HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\n",
      .badConnectionOption),
    Refused(
      "nominating Content-Length",
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 1\r\n\r\n",
      .badConnectionOption),
    Refused(
      "nominating X-Forwarded-For",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, x-forwarded-for\r\n\r\n",
      .badConnectionOption),
    Refused(
      "nominating a pseudo-header", "GET / HTTP/1.1\r\nHost: a\r\nConnection: :path\r\n\r\n",
      .badConnectionOption),
    Refused(
      "too many nominations",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: a,b,c,d,e,f\r\nConnection: g,h,i,j,k\r\n\r\n",
      .badConnectionOption),
    Refused(
      "CONNECT with content", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
      .connectWithBody),
    Refused(
      "chunked CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
      .connectWithBody),
  ]

  @Test(arguments: refused)
  func refuses(_ row: Refused) {
    let (outcome, differing) = HeadParser().parseEveryWay(row.input.wire)
    #expect(outcome == .failed(row.error))
    #expect(differing == [])
  }

  @Test func everyPrefixOfAValidHeadNeedsMore() {
    for row in Self.accepted {
      let bytes = row.input.wire
      for end in 0..<bytes.count {
        let outcome = HeadParser().parse(bytes[..<end])
        #expect(outcome == .needMore, "\(row.testDescription), \(end) bytes")
      }
    }
  }

  @Test func errorsHaveAStatusAndADetail() {
    for error in HTTP1Error.allCases {
      #expect([400, 426, 431, 501, 505].contains(error.status))
      #expect(error.detail.utf8CodeUnitCount > 0)
    }
    #expect(HTTP1Error.http10Refused.status == 426)
    #expect(HTTP1Error.headTooLarge.status == 431)
    #expect(HTTP1Error.http2Preface.status == 505)
    #expect(HTTP1Error.unsupportedTransferEncoding.status == 501)
  }
}
