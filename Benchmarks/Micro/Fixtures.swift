import HTTPCore
import Primitives

/// Bytes that are never freed.
func lasting(_ text: String) -> ByteView {
  let bytes = Array(text.utf8)
  let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, bytes.count))
  memory.update(from: bytes, count: bytes.count)
  return ByteView(memory, bytes.count)
}

/// An arena that is never freed, with its pool.
func lastingArena() -> UnsafeMutablePointer<Arena> {
  let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
  arena.initialize(to: Arena(pool: Unmanaged.passRetained(ArenaPool()).takeUnretainedValue()))
  return arena
}

/// A header map that is never freed; names in lower case, pseudo-headers included.
func lastingMap(_ fields: [(String, String)]) -> UnsafeMutablePointer<HeaderMap> {
  let map = UnsafeMutablePointer<HeaderMap>.allocate(capacity: 1)
  map.initialize(to: HeaderMap(arena: lastingArena()))
  for (name, value) in fields {
    let key = lasting(name)
    let known = KnownHeader.allCases.first { $0.isPseudo && ByteView($0.name) == key }
    map.pointee.append(
      name: key, value: lasting(value), known: known ?? KnownHeaderTable.shared.find(key))
  }
  return map
}

/// What a browser sends, as the codec hands it on.
let browserFields: [(String, String)] = [
  (":method", "GET"), (":path", "/catalogue/items/4711?colour=blue&size=m"),
  (":authority", "shop.example.com"), ("user-agent", browserAgent), ("accept", browserAccept),
  ("accept-language", "en-GB,en;q=0.9,de;q=0.7"), ("accept-encoding", "gzip, deflate, br, zstd"),
  ("referer", "https://shop.example.com/catalogue"), ("sec-fetch-mode", "navigate"),
  ("cookie", "session=6f1ed002ab5595859014ebf0951522d9; theme=dark"),
  ("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "http"),
  ("x-request-id", "0d7a9c1e-4f0b-4c8e-9a57-2f3de8c0b1aa"),
]
let browserAgent =
  "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
let browserAccept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

/// What an application answers.
let responseFields: [(String, String)] = [
  (":status", "200"), ("content-type", "application/json; charset=utf-8"),
  ("content-length", "1024"), ("cache-control", "private, max-age=0"),
  ("etag", "\"33a64df551425fcc55e4d42a148795d9f25f89d4\""), ("vary", "accept-encoding"),
  ("date", "Tue, 24 Nov 2026 10:00:00 GMT"), ("server", "apus"),
]
