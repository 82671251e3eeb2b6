import Format
import HTTPCore
import Primitives

let formatCases: [MicroCase] = [
  MicroCase("access-log-text") { try writing(Formatter(text: Formatter.defaultText)) },
  MicroCase("access-log-json") {
    try writing(
      Formatter(json: [
        "time": .text("%START_TIME%"), "method": .text("%REQ(:METHOD)%"),
        "path": .text("%REQ(:PATH)%"), "status": .text("%RESPONSE_CODE%"),
        "flags": .text("%RESPONSE_FLAGS%"), "duration": .text("%DURATION%"),
        "agent": .text("%REQ(USER-AGENT)%"), "upstream": .text("%UPSTREAM_HOST%"),
      ]))
  },
  MicroCase("header-mutations") { try mutating() },
]

/// A stream as it is when its record is written.
private func lastingContext() -> FormatContext {
  var info = StreamInfo()
  info.startWallNanoseconds = 1_795_486_348_300_608_123
  info.start = 1_000_000_000
  info.requestEnd = 1_000_020_000
  info.upstreamResponseStart = 1_010_000_000
  info.end = 1_012_900_000
  info.bytesSent = 1024
  info.responseCode = 200
  info.version = .http11
  info.downstreamRemote = .init(ip: IPAddress("10.0.0.1"), port: 40_000)
  info.upstreamHost = .init(ip: IPAddress("10.0.0.9"), port: 80)
  info.upstreamCluster = ByteView("shop")
  let stream = UnsafeMutablePointer<StreamInfo>.allocate(capacity: 1)
  stream.initialize(to: info)
  let cache = UnsafeMutablePointer<TimeFormatCache>.allocate(capacity: 1)
  cache.initialize(to: TimeFormatCache())
  let random = UnsafeMutablePointer<FastRandom>.allocate(capacity: 1)
  random.initialize(to: FastRandom(seed: 1))
  return FormatContext(
    stream: stream, requestHeaders: UnsafePointer(lastingMap(browserFields)),
    responseHeaders: UnsafePointer(lastingMap(responseFields)), timeCache: cache, random: random,
    logType: .downstreamEnd)
}

private func writing(_ formatter: Formatter) -> (Int) -> UInt64 {
  let program = Unmanaged.passRetained(formatter).takeUnretainedValue().program
  let context = lastingContext()
  let line = UnsafeMutablePointer<UInt8>.allocate(capacity: 4096)
  return { count in
    var digest = Digest()
    for _ in 0..<count {
      var sink = ByteSink(line, capacity: 4096)
      program.write(context: context, to: &sink)
      digest.add(sink.count)
      digest.add(UInt64(line[sink.count - 2]))
    }
    return digest.value
  }
}

/// `request_headers_to_add` and `_to_remove` of one level.
private func mutating() throws -> (Int) -> UInt64 {
  let spec = HeaderMutationSpec(
    additions: [
      .init(name: "x-client", value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
      .init(name: "x-cluster", value: "edge", action: .overwriteIfExistsOrAdd),
    ],
    removals: ["cookie"])
  let mutations = try HeaderMutations(spec, environment: .process)
  let program = Unmanaged.passRetained(mutations).takeUnretainedValue().program
  let context = lastingContext()
  let fields = lastingMap(browserFields)
  let arena = lastingArena()
  let map = UnsafeMutablePointer<HeaderMap>.allocate(capacity: 1)
  return { count in
    var digest = Digest()
    for _ in 0..<count {
      map.initialize(to: HeaderMap(arena: arena))
      for slot in 0..<fields.pointee.slotCount {
        let field = fields.pointee[slot: slot]
        map.pointee.append(name: field.name, value: field.value, known: field.known)
      }
      program.apply(to: map, arena: arena, context: context)
      digest.add(map.pointee.count)
      arena.pointee.reset()
    }
    return digest.value
  }
}
