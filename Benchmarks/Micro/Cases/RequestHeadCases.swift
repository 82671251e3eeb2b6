import HTTP1
import HTTPCore
import Primitives

private let small = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"

private let typical =
  "GET /catalogue/items/4711?colour=blue&size=m HTTP/1.1\r\nHost: shop.example.com\r\n"
  + "User-Agent: \(browserAgent)\r\nAccept: \(browserAccept)\r\n"
  + "Accept-Language: en-GB,en;q=0.9,de;q=0.7\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
  + "Referer: https://shop.example.com/catalogue\r\nSec-Fetch-Mode: navigate\r\n"
  + "Cookie: session=6f1ed002ab5595859014ebf0951522d9; theme=dark\r\nConnection: keep-alive\r\n\r\n"

/// About 5 KiB in 60 fields.
private let large =
  "POST /upload HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 1048576\r\n"
  + (0..<57).map { "X-Field-\($0): \(String(repeating: "value ", count: 11))end\r\n" }.joined()
  + "\r\n"

let requestHeadCases: [MicroCase] = [
  MicroCase("request-head-small") { parsing(small) },
  MicroCase("request-head-typical") { parsing(typical) },
  MicroCase("request-head-large") { parsing(large) },
  MicroCase("request-head-in-pieces") { scanning(typical) },
  MicroCase("request-head-write") { writing() },
]

/// Parse, copy and build the header map, as a worker does for each request.
private func parsing(_ text: String) -> (Int) -> UInt64 {
  let bytes = lasting(text)
  let arena = lastingArena()
  return { count in
    var table = FieldTable(capacity: 128)
    defer { table.deallocate() }
    var head = RequestHead()
    var digest = Digest()
    for _ in 0..<count {
      let outcome = HTTP1RequestParser.parse(
        bytes, limits: HTTP1Limits(), options: HTTP1RequestOptions(), table: &table, into: &head)
      precondition(outcome == .complete(length: bytes.count), "the head is whole")
      let copy = arena.pointee.copy(bytes)
      var map = HeaderMap(arena: arena)
      HTTP1RequestParser.build(
        head, copied: UnsafeMutablePointer(mutating: copy.base), table: table, keepUpgrade: false,
        into: &map)
      digest.add(map.slotCount)
      digest.add(map.value(.path)?.count ?? 0)
      arena.pointee.reset()
    }
    return digest.value
  }
}

/// A head that comes in pieces of 100 bytes: the parser sees the first and the last, the scanner all
/// between.
private func scanning(_ text: String) -> (Int) -> UInt64 {
  let bytes = lasting(text)
  return { count in
    var digest = Digest()
    for _ in 0..<count {
      var scanner = HeadScanner.request()
      var have = 100
      while scanner.scan(bytes.prefix(have), limits: HTTP1Limits()) == .needMore { have += 100 }
      precondition(have >= bytes.count, "the scanner saw an end before it")
      digest.add(have)
    }
    return digest.value
  }
}

private func writing() -> (Int) -> UInt64 {
  let map = lastingMap(browserFields)
  let room = HTTP1Writer.requestHeadSize(map.pointee, options: [])
  let target = UnsafeMutablePointer<UInt8>.allocate(capacity: room)
  return { count in
    var digest = Digest()
    for _ in 0..<count {
      digest.add(HTTP1Writer.requestHeadSize(map.pointee, options: []))
      let written = HTTP1Writer.writeRequestHead(
        map.pointee, framing: .none, options: [], to: target)
      digest.add(written)
      digest.add(UInt64(target[written - 5]))
    }
    return digest.value
  }
}
