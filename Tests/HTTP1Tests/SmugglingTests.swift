import HTTP1Harness
import HTTPHarness
import Testing

@testable import HTTP1

/// Requests that two recipients might frame differently: each must be refused.
@Suite struct SmugglingTests {
  private static func post(_ fields: String) -> String {
    "POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n"
  }

  static let corpus: [Refused] = [
    Refused("CL.TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked"), .lengthAndChunked),
    Refused("TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 4"), .lengthAndChunked),
    Refused(
      "CL 0 with TE", post("Content-Length: 0\r\nTransfer-Encoding: chunked"), .lengthAndChunked),
    Refused(
      "TE twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
      .unsupportedTransferEncoding),
    Refused(
      "TE then identity", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
      .unsupportedTransferEncoding),
    Refused(
      "identity then TE", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
      .unsupportedTransferEncoding),
    Refused("TE xchunked", post("Transfer-Encoding: xchunked"), .unsupportedTransferEncoding),
    Refused("TE chunkedx", post("Transfer-Encoding: chunkedx"), .unsupportedTransferEncoding),
    Refused("TE in quotes", post("Transfer-Encoding: \"chunked\""), .unsupportedTransferEncoding),
    Refused("TE list", post("Transfer-Encoding: gzip, chunked"), .unsupportedTransferEncoding),
    Refused(
      "TE chunked first", post("Transfer-Encoding: chunked, gzip"), .unsupportedTransferEncoding),
    Refused("TE trailing comma", post("Transfer-Encoding: chunked,"), .unsupportedTransferEncoding),
    Refused("TE leading comma", post("Transfer-Encoding: ,chunked"), .unsupportedTransferEncoding),
    Refused(
      "TE with a parameter", post("Transfer-Encoding: chunked;a=b"), .unsupportedTransferEncoding),
    Refused("TE empty", post("Transfer-Encoding:"), .unsupportedTransferEncoding),
    Refused("TE identity", post("Transfer-Encoding: identity"), .unsupportedTransferEncoding),
    Refused("TE vertical tab", post("Transfer-Encoding: \u{B}chunked"), .badFieldValue),
    Refused("TE form feed", post("Transfer-Encoding: chunked\u{C}"), .badFieldValue),
    Refused(
      "TE no-break space", post("Transfer-Encoding: \u{A0}chunked"), .unsupportedTransferEncoding),
    Refused("TE space before colon", post("Transfer-Encoding : chunked"), .badFieldName),
    Refused("TE tab before colon", post("Transfer-Encoding\t: chunked"), .badFieldName),
    Refused("TE leading space", post("X: y\r\n Transfer-Encoding: chunked"), .obsoleteFold),
    Refused("TE folded", post("Transfer-Encoding:\r\n chunked"), .obsoleteFold),
    Refused("TE after bare LF", post("X: y\nTransfer-Encoding: chunked"), .bareLineFeed),
    Refused("TE after bare CR", post("X: y\rTransfer-Encoding: chunked"), .bareCarriageReturn),
    Refused("TE after NUL", post("X: y\0Transfer-Encoding: chunked"), .badFieldValue),
    Refused("TE name with NUL", post("Transfer-Encoding\0: chunked"), .badFieldName),
    Refused("TE name with CR", post("\rTransfer-Encoding: chunked"), .bareCarriageReturn),
    Refused("CL twice, equal", post("Content-Length: 5\r\nContent-Length: 5"), .conflictingLength),
    Refused(
      "CL twice, different", post("Content-Length: 5\r\nContent-Length: 6"), .conflictingLength),
    Refused("CL equal list", post("Content-Length: 5, 5"), .conflictingLength),
    Refused("CL different list", post("Content-Length: 5,6"), .conflictingLength),
    Refused("CL plus", post("Content-Length: +5"), .badLength),
    Refused("CL minus", post("Content-Length: -5"), .badLength),
    Refused("CL hexadecimal", post("Content-Length: 0x5"), .badLength),
    Refused("CL empty", post("Content-Length:"), .badLength),
    Refused("CL with a space", post("Content-Length: 1 2"), .badLength),
    Refused("CL decimal point", post("Content-Length: 5.0"), .badLength),
    Refused("CL exponent", post("Content-Length: 1e3"), .badLength),
    Refused("CL underscore", post("Content-Length: 1_0"), .badLength),
    Refused("CL 2^63", post("Content-Length: 9223372036854775808"), .badLength),
    Refused("CL 2^64", post("Content-Length: 18446744073709551616"), .badLength),
    Refused("CL 2^64+5", post("Content-Length: 18446744073709551621"), .badLength),
    Refused(
      "CL forty digits", post("Content-Length: \(String(repeating: "9", count: 40))"), .badLength),
    Refused("CL other digits", post("Content-Length: \u{D9}\u{A5}"), .badLength),
    Refused(
      "Connection removes CL", post("Connection: content-length\r\nContent-Length: 5"),
      .badConnectionOption),
    Refused(
      "Connection removes TE", post("Connection: transfer-encoding\r\nTransfer-Encoding: chunked"),
      .badConnectionOption),
    Refused("request line split", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", .badVersion),
    Refused("target with CRLF", "GET /\r\nX: HTTP/1.1\r\nHost: a\r\n\r\n", .badVersion),
  ]

  @Test(arguments: corpus)
  func refuses(_ row: Refused) {
    let (outcome, differing) = HeadParser().parseEveryWay(row.input.wire)
    #expect(outcome == .failed(row.error))
    #expect(differing == [])
  }
}
