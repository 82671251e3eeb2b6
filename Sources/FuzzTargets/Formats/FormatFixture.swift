import Format
import HTTP1Harness
import HTTPCore
import HTTPHarness
import Primitives

/// A stream with something in every part, and headers from the input: what formats are written with.
struct FormatFixture {
  static let environment = FormatEnvironment(hostname: "machine") { $0 == "REGION" ? "north" : nil }

  private var headers: [(name: [UInt8], value: [UInt8])] = []

  /// - Parameter input: `name: value` lines; a value may hold any byte but a line feed, for which a
  ///   form feed stands.
  init(_ input: inout FuzzInput) {
    while let line = input.line() {
      let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.count
      let value = line[colon...].dropFirst(2).map { $0 == 12 ? 10 : $0 }
      headers.append((Array(line[..<colon]), value))
    }
  }

  /// Calls `body` with the same context each time it is called.
  func withContext<R>(
    usesCache: Bool, _ body: (FormatContext, UnsafeMutablePointer<Arena>) -> R
  ) -> R {
    withArena { arena in
      var map = HeaderMap(arena: arena)
      for (name, value) in headers {
        let key = Self.copy(name, arena)
        map.append(
          name: key, value: Self.copy(value, arena), known: KnownHeaderTable.shared.find(key))
      }
      var stream = Self.stream()
      var cache = TimeFormatCache()
      defer { cache.deallocate() }
      var random = FastRandom(seed: 1)
      return withUnsafePointer(to: &map) { map in
        withUnsafePointer(to: &stream) { stream in
          withUnsafeMutablePointer(to: &cache) { cache in
            withUnsafeMutablePointer(to: &random) { random in
              body(
                FormatContext(
                  stream: stream, requestHeaders: map, responseHeaders: map, responseTrailers: map,
                  timeCache: usesCache ? cache : nil, random: random, logType: .downstreamEnd),
                arena)
            }
          }
        }
      }
    }
  }

  /// What `formatter` writes into memory of exactly `capacity` bytes.
  func write(
    _ formatter: Formatter, capacity: Int, usesCache: Bool = true
  ) -> (bytes: [UInt8], isTruncated: Bool) {
    withContext(usesCache: usesCache) { context, _ in
      let room = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, capacity))
      defer { room.deallocate() }
      var sink = ByteSink(room, capacity: capacity)
      formatter.write(context: context, to: &sink)
      return (sink.written.array, sink.isTruncated)
    }
  }

  /// Whether `formatter` shows a random identifier.
  func drawsRandomValues(_ formatter: Formatter) -> Bool {
    var random = FastRandom(seed: 1)
    let before = random.next()
    return withContext(usesCache: false) { context, arena in
      guard let drawn = context.random else { return false }
      _ = formatter.program.format(context: context, arena: &arena.pointee)
      return drawn.pointee.next() != before
    }
  }

  private static func copy(
    _ bytes: [UInt8], _ arena: UnsafeMutablePointer<Arena>
  ) -> ByteView {
    bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return .empty }
      return arena.pointee.copy(ByteView(base, buffer.count))
    }
  }

  private static func stream() -> StreamInfo {
    var stream = StreamInfo()
    stream.startWallNanoseconds = 1_795_486_348_300_608_123
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
    stream.failure = ByteView("no host: cluster a has no hosts")
    stream.localReplyBody = ByteView("body\n")
    return stream
  }
}
