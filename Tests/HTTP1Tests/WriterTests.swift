import HTTP1Harness
import HTTPCore
import HTTPHarness
import Primitives
import Testing

@testable import HTTP1

@Suite struct WriterTests {
  private func map(
    _ fields: [(StaticString, StaticString)], _ arena: UnsafeMutablePointer<Arena>
  ) -> HeaderMap {
    var map = HeaderMap(arena: arena, capacity: 2)
    for (name, value) in fields {
      let name = ByteView(name)
      let pseudo = KnownHeader.allCases.first { $0.isPseudo && ByteView($0.name) == name }
      map.append(
        name: name, value: ByteView(value), known: pseudo ?? KnownHeaderTable.shared.find(name))
    }
    return map
  }

  /// Writes with the measured room between guard bytes and checks that only the room was used.
  private func written(
    size: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int
  ) -> String {
    let room = UnsafeMutablePointer<UInt8>.allocate(capacity: size + 64)
    defer { room.deallocate() }
    room.initialize(repeating: 0xEE, count: size + 64)
    let count = body(room + 32)
    #expect(count <= size)
    #expect((0..<32).allSatisfy { room[$0] == 0xEE && room[32 + size + $0] == 0xEE })
    #expect((count..<max(count, size)).allSatisfy { room[32 + $0] == 0xEE })
    return ByteView(room + 32, count).string
  }

  private func request(
    _ fields: [(StaticString, StaticString)], _ framing: BodyFraming = .none,
    _ options: HTTP1Writer.RequestOptions = []
  ) -> String {
    withArena { arena in
      let map = map(fields, arena)
      return written(size: HTTP1Writer.requestHeadSize(map, options: options)) {
        HTTP1Writer.writeRequestHead(map, framing: framing, options: options, to: $0)
      }
    }
  }

  private func response(
    _ fields: [(StaticString, StaticString)], _ status: UInt16, _ framing: BodyFraming = .none,
    _ options: HTTP1Writer.ResponseOptions = []
  ) -> String {
    withArena { arena in
      let map = map(fields, arena)
      return written(size: HTTP1Writer.responseHeadSize(map)) {
        HTTP1Writer.writeResponseHead(
          map, status: status, framing: framing, options: options, to: $0)
      }
    }
  }

  @Test func requests() {
    let base: [(StaticString, StaticString)] = [
      (":method", "POST"), (":path", "/x?y"), (":authority", "a:80"), (":scheme", "http"),
      ("accept", "*/*"), ("x-other", ""),
    ]
    let head = "POST /x?y HTTP/1.1\r\nhost: a:80\r\naccept: */*\r\nx-other: \r\n"
    #expect(request(base) == head + "\r\n")
    #expect(request(base, .chunked) == head + "transfer-encoding: chunked\r\n\r\n")
    #expect(request(base, .length(.max)) == head + "content-length: 18446744073709551615\r\n\r\n")
    #expect(request(base, .none, .connectionClose) == head + "connection: close\r\n\r\n")
    #expect(
      request(base, .chunked, .properCase)
        == "POST /x?y HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\nX-Other: \r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    #expect(
      request(base, .none, .absoluteTarget)
        == "POST http://a:80/x?y HTTP/1.1\r\nhost: a:80\r\naccept: */*\r\nx-other: \r\n\r\n")
    #expect(
      request([(":method", "CONNECT"), (":authority", "b:443")])
        == "CONNECT b:443 HTTP/1.1\r\nhost: b:443\r\n\r\n")
    #expect(
      request([(":method", "OPTIONS"), (":path", "*")]) == "OPTIONS * HTTP/1.1\r\nhost: \r\n\r\n")
  }

  @Test func requestFramingFollowsTheArgument() {
    let base: [(StaticString, StaticString)] = [
      (":method", "PUT"), (":path", "/"), (":authority", "a"), ("content-length", "7"),
    ]
    let start = "PUT / HTTP/1.1\r\nhost: a\r\n"
    #expect(request(base) == start + "content-length: 7\r\n\r\n")
    #expect(request(base, .length(7)) == start + "content-length: 7\r\n\r\n")
    #expect(request(base, .chunked) == start + "transfer-encoding: chunked\r\n\r\n")
  }

  @Test func fieldsOfTheConnectionComeFromOptionsOnly() {
    let base: [(StaticString, StaticString)] = [
      (":method", "GET"), (":path", "/"), (":authority", "a"), ("connection", "x"),
      ("keep-alive", "x"), ("proxy-connection", "x"), ("transfer-encoding", "x"), ("host", "x"),
      ("upgrade", "websocket"), ("te", "trailers"),
    ]
    let start = "GET / HTTP/1.1\r\nhost: a\r\n"
    #expect(request(base) == start + "te: trailers\r\nconnection: te\r\n\r\n")
    #expect(
      request(base, .none, [.upgrade, .connectionClose])
        == start + "upgrade: websocket\r\nte: trailers\r\nconnection: close, upgrade, te\r\n\r\n")
  }

  @Test func responses() {
    let base: [(StaticString, StaticString)] = [(":status", "200"), ("server", "apus")]
    #expect(response(base, 200) == "HTTP/1.1 200 OK\r\nserver: apus\r\n\r\n")
    #expect(
      response(base, 404, .length(3))
        == "HTTP/1.1 404 Not Found\r\nserver: apus\r\ncontent-length: 3\r\n\r\n")
    #expect(
      response(base, 799, .chunked)
        == "HTTP/1.1 799 Unknown\r\nserver: apus\r\ntransfer-encoding: chunked\r\n\r\n")
    #expect(
      response(base, 200, .untilClose, [.http10, .connectionClose])
        == "HTTP/1.0 200 OK\r\nserver: apus\r\nconnection: close\r\n\r\n")
    #expect(
      response(base, 200, .length(1), [.keepAlive, .properCase])
        == "HTTP/1.1 200 OK\r\nServer: apus\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n")
    #expect(
      response([("upgrade", "x")], 101, .none, .upgrade)
        == "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")
  }

  /// An absolute target holds the host a second time.
  @Test func longHostInAbsoluteTarget() {
    let host: StaticString =
      """
      aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
      aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
      aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      """
    let text = request(
      [(":method", "GET"), (":path", "/"), (":authority", host)], .length(.max),
      [.absoluteTarget, .connectionClose])
    #expect(text.hasPrefix("GET http://\(host)/ HTTP/1.1\r\nhost: \(host)\r\n"))
  }

  /// So does the target of CONNECT.
  @Test func longHostOfATunnel() {
    let host: StaticString =
      """
      aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
      aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
      aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:443
      """
    let text = request(
      [(":method", "CONNECT"), (":authority", host)], .none, [.connectionClose])
    #expect(text.hasPrefix("CONNECT \(host) HTTP/1.1\r\nhost: \(host)\r\n"))
  }

  @Test func removedFieldsAreNotWritten() {
    let text = withArena { arena in
      var map = map([(":method", "GET"), (":path", "/"), ("accept", "x"), ("b", "y")], arena)
      map.remove(.accept)
      return written(size: HTTP1Writer.requestHeadSize(map, options: [])) {
        HTTP1Writer.writeRequestHead(map, framing: .none, options: [], to: $0)
      }
    }
    #expect(text == "GET / HTTP/1.1\r\nhost: \r\nb: y\r\n\r\n")
  }

  /// The reason phrases are part of the size bound.
  @Test func everyStatusFits() {
    for status: UInt16 in 100...999 {
      let text = response([], status, .length(.max), [.connectionClose, .properCase])
      #expect(text.hasPrefix("HTTP/1.1 \(status) "))
      #expect(text.hasSuffix("\r\n\r\n"))
    }
  }

  /// Every length takes another branch of the copy.
  @Test func piecesOfEveryLength() {
    for length in 0...80 {
      let bytes = (0..<length).map { UInt8(33 + $0 % 90) }
      let text = withExactCopy(bytes) { view in
        written(size: length) {
          var cursor = WireCursor($0)
          cursor.put(view)
          return length
        }
      }
      #expect(Array(text.utf8) == bytes)
    }
  }

  @Test func chunks() {
    for (size, text): (UInt64, String) in [
      (1, "1"), (255, "ff"), (4096, "1000"), (.max, "ffffffffffffffff"),
    ] {
      let head = written(size: HTTP1Writer.chunkHeadSize) {
        HTTP1Writer.writeChunkHead(size, to: $0)
      }
      #expect(head == text + "\r\n")
    }
    let last = withArena { arena in
      let trailers = map(
        [("grpc-status", "0"), ("connection", "x"), ("host", "x"), ("content-length", "1")], arena)
      return written(size: HTTP1Writer.lastChunkSize(trailers)) {
        HTTP1Writer.writeLastChunk(trailers, to: $0)
      }
    }
    #expect(last == "0\r\ngrpc-status: 0\r\n\r\n")
    #expect(ByteView(HTTP1Writer.lastChunk).string == "0\r\n\r\n")
  }

  /// What was parsed and written parses to the same again.
  @Test func roundTrips() throws {
    for row in RequestHeadTests.accepted {
      let parser = HeadParser()
      let before = try #require(parser.parse(row.input.wire).request)
      let text = withArena { arena -> String in
        withExactCopy(row.input.wire) { view in
          var table = FieldTable(capacity: 100)
          defer { table.deallocate() }
          var head = RequestHead()
          _ = HTTP1RequestParser.parse(
            view, limits: HTTP1Limits(), options: HTTP1RequestOptions(), table: &table, into: &head)
          let copy = arena.pointee.copy(view)
          var map = HeaderMap(arena: arena)
          HTTP1RequestParser.build(
            head, copied: UnsafeMutablePointer(mutating: copy.base), table: table,
            keepUpgrade: false, into: &map)
          var options: HTTP1Writer.RequestOptions = head.keepAlive ? [] : .connectionClose
          if head.scheme != .none, head.pathLength > 0 { options.insert(.absoluteTarget) }
          return written(size: HTTP1Writer.requestHeadSize(map, options: options)) {
            HTTP1Writer.writeRequestHead(map, framing: head.framing, options: options, to: $0)
          }
        }
      }
      let after = try #require(parser.parse(Array(text.utf8)).request, "\(text)")
      #expect(
        after.fields.filter { !$0.hasPrefix(":scheme") }
          == before.fields.filter { !$0.hasPrefix(":scheme") })
      #expect(after.framing == before.framing)
      #expect(after.keepAlive == before.keepAlive)
    }
  }
}
