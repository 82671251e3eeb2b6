import HTTP1Harness
import HTTPCore
import HTTPHarness
import Primitives
import Testing

@testable import HTTP1

@Suite struct TrailerTests {
  private func parse(_ section: String, limits: HTTP1Limits = HTTP1Limits()) -> (
    HTTP1Error?, [String]
  ) {
    withExactCopy(section.wire) { view in
      withArena { arena in
        var table = FieldTable(capacity: 8)
        defer { table.deallocate() }
        if let error = HTTP1Trailers.parse(view, limits: limits, table: &table) {
          return (error, [])
        }
        let copy = arena.pointee.allocate(view.count)
        copy.update(from: view.base, count: view.count)
        var map = HeaderMap(arena: arena)
        HTTP1Trailers.build(copied: copy, table: &table, into: &map)
        return (nil, describe(map))
      }
    }
  }

  @Test func keepsWhatMayBeATrailer() {
    let (error, fields) = parse("X-Checksum: 1\r\nGRPC-Status: 0\r\nx-checksum: 2\r\n\r\n")
    #expect(error == nil)
    #expect(fields == ["x-checksum: 1", "grpc-status: 0", "x-checksum: 2"])
  }

  @Test(arguments: [
    "Content-Length", "transfer-encoding", "Host", "Authorization", "TE", "Trailer", "Cookie",
    "Connection", "Content-Range", "Max-Forwards", "Proxy-Authorization", "If-Match",
    "X-Forwarded-For", "X-Envoy-Internal", "Set-Cookie", "Upgrade",
  ])
  func dropsWhatMayNot(_ name: String) {
    let (error, fields) = parse("a: 1\r\n\(name): 5\r\nb: 2\r\n\r\n")
    #expect(error == nil)
    #expect(fields == ["a: 1", "b: 2"])
  }

  @Test(arguments: [
    "", "a: 1\r\n", "a: 1\n\r\n", "a\r\n\r\n", "a: 1\r\n\r\nb", " a: 1\r\n\r\n",
    "a:1\r\nb:1\r\nc:1\r\nd:1\r\ne:1\r\nf:1\r\ng:1\r\nh:1\r\ni:1\r\n\r\n",
  ])
  func refuses(_ section: String) {
    #expect(parse(section).0 == .badTrailer)
  }

  @Test func boundsBytes() {
    #expect(parse("a: 1\r\n\r\n", limits: HTTP1Limits(trailerBytesMax: 7)).0 == .badTrailer)
    #expect(parse("a: 1\r\n\r\n", limits: HTTP1Limits(trailerBytesMax: 8)).0 == nil)
  }
}
