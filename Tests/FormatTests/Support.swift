import Format
import HTTPCore
import Primitives

let environment = FormatEnvironment(hostname: "machine") { $0 == "REGION" ? "north" : nil }

/// TLS to a host whose certificate never ends; of the client's side there is none.
nonisolated(unsafe) let sampleTLS: UnsafeMutablePointer<TLSFacts> = {
  let details = UnsafeMutablePointer<TLSDetails>.allocate(capacity: 1)
  details.initialize(to: TLSDetails())
  details.pointee.notBefore = -1
  details.pointee.notAfter = 253_402_300_799
  details.pointee.pem = ByteView("----%20")
  details.pointee.localDNSNames = ByteView("a,b")
  let facts = UnsafeMutablePointer<TLSFacts>.allocate(capacity: 1)
  facts.initialize(to: TLSFacts())
  facts.pointee.version = ByteView("TLSv1.3")
  facts.pointee.subject = ByteView("CN=\"h\"")
  facts.pointee.details = UnsafePointer(details)
  return facts
}()

/// A stream with something in every part.
func sampleStream() -> StreamInfo {
  var stream = StreamInfo()
  stream.startWallNanoseconds = 1_795_486_348_300_608_123  // 2026-11-24T02:12:28.300608123Z
  stream.start = 1_000_000_000
  stream.requestEnd = 1_002_000_000
  stream.upstreamConnected = 1_003_500_000
  stream.upstreamRequestEnd = 1_004_000_000
  stream.upstreamResponseStart = 1_010_000_000
  stream.end = 1_025_900_000
  stream.bytesReceived = 12
  stream.bytesSent = 345
  stream.responseCode = 503
  stream.flags = [.upstreamConnectionFailure, .upstreamRetryLimitExceeded]
  stream.responseCodeDetails = ByteView("a b\tc")
  stream.version = .http11
  stream.downstreamRemote = .init(ip: IPAddress("10.0.0.1"), port: 4000)
  stream.downstreamDirectRemote = .init(ip: IPAddress("::1"), port: 4001)
  stream.downstreamLocal = .init(ip: nil, port: 0, path: ByteView("/run/sock"))
  stream.upstreamHost = .init(ip: IPAddress("10.0.0.9"), port: 80)
  stream.upstreamHostName = ByteView("backend:80")
  stream.upstreamCluster = ByteView("web")
  stream.connectionID = 7
  stream.upstreamTLS = UnsafePointer(sampleTLS)
  stream.failure = ByteView("no host: cluster a has \"no\" hosts")
  stream.localReplyBody = ByteView("body\n")
  return stream
}

/// Calls `body` with a context over `stream` and the given headers.
func withContext<R>(
  _ stream: StreamInfo, request: [(String, String)] = [], response: [(String, String)] = [],
  usesCache: Bool = true,
  _ body: (FormatContext, UnsafeMutablePointer<HeaderMap>, UnsafeMutablePointer<Arena>) -> R
) -> R {
  let pool = ArenaPool()
  let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
  arena.initialize(to: Arena(pool: pool))
  let maps = UnsafeMutablePointer<HeaderMap>.allocate(capacity: 2)
  maps.initialize(repeating: HeaderMap(arena: arena), count: 2)
  (maps + 1).initialize(to: HeaderMap(arena: arena))
  let info = UnsafeMutablePointer<StreamInfo>.allocate(capacity: 1)
  info.initialize(to: stream)
  let cache = UnsafeMutablePointer<TimeFormatCache>.allocate(capacity: 1)
  cache.initialize(to: TimeFormatCache())
  let random = UnsafeMutablePointer<FastRandom>.allocate(capacity: 1)
  random.initialize(to: FastRandom(seed: 1))
  defer {
    cache.pointee.deallocate()
    cache.deallocate()
    random.deallocate()
    info.deallocate()
    maps.deallocate()
    arena.pointee.reset()
    arena.deallocate()
  }
  func view(_ bytes: [UInt8]) -> ByteView {
    let target = arena.pointee.allocate(bytes.count)
    for (i, byte) in bytes.enumerated() { target[i] = byte }
    return ByteView(target, bytes.count)
  }
  for (i, list) in [request, response].enumerated() {
    for (name, value) in list {
      let key = view(Array(name.utf8))
      // U+0080 to U+00FF stand for raw bytes
      let raw = value.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
      maps[i].append(name: key, value: view(raw), known: KnownHeaderTable.shared.find(key))
    }
  }
  let context = FormatContext(
    stream: info, requestHeaders: UnsafePointer(maps), responseHeaders: UnsafePointer(maps + 1),
    timeCache: usesCache ? cache : nil, random: random, logType: .downstreamEnd)
  return body(context, maps, arena)
}

func output(_ formatter: Formatter, _ context: FormatContext, capacity: Int = 4096) -> String {
  let room = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
  defer { room.deallocate() }
  var sink = ByteSink(room, capacity: capacity)
  formatter.write(context: context, to: &sink)
  return sink.written.string
}
