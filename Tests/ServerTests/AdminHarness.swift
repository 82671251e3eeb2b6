import CSystem
import Glibc
import HTTP2
import HTTPCore
import Primitives
import Reactor
import Stats

@testable import Proxy
@testable import Server

/// A worker whose only listener answers with the admin pages. The test runs its turns, so that it can count
/// them; everything happens on the test's thread.
final class AdminHarness {
  let delegate: FakeAdminDelegate
  let terminal: AdminTerminal
  let worker: Worker
  private let tick: Tick
  let port: UInt16

  struct Failure: Error { let what: String }

  /// - Parameters:
  ///   - bufferLimitBytes: Output that a client may leave untaken.
  ///   - sendBufferBytes: What the kernel takes for a client that does not read.
  init(
    statCount: Int = 0, bufferLimitBytes: Int = 64 * 1024, sendBufferBytes: Int32? = nil
  ) throws {
    csystem_ignore_sigpipe()
    let registry = try StatsRegistry(slabCount: 1)
    for index in 0..<statCount { _ = registry.counter("many.stat_\(index)") }
    delegate = FakeAdminDelegate(registry: registry)
    terminal = AdminTerminal(delegate: delegate)
    let listening = try Self.listen()
    if var bytes = sendBufferBytes {
      let length = socklen_t(MemoryLayout<Int32>.size)
      setsockopt(listening.descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, length)
    }
    port = listening.port
    let snapshot = Self.snapshot(
      registry, terminal, descriptor: listening.descriptor, port: listening.port,
      bufferLimitBytes: bufferLimitBytes)
    var sizes = SegmentPool.Sizes()
    sizes.smallCount = 16
    sizes.largeCount = 2
    worker = try Worker(
      index: -1, name: "main_thread", kernel: LinuxKernel(entries: 64), slab: registry.mainSlab,
      mailbox: WorkerMailbox(), snapshot: snapshot,
      environment: WorkerEnvironment(
        stats: WorkerStats(registry.makeScope(prefix: "main_thread.")),
        flags: ProcessFlags(drainNanoseconds: 0), logRings: [LogRing(capacity: 4096)]),
      sizes: sizes, seed: 1)
    // A turn without events ends soon.
    tick = Tick(worker)
  }

  deinit { worker.cancel(tick.task) }

  /// Wakes the worker every 2 ms.
  private final class Tick {
    private(set) var task: WorkerTask!

    init(_ worker: Worker) {
      task = WorkerTask { [unowned self, unowned worker] in worker.schedule(task, inMilliseconds: 2) }
      worker.schedule(task, inMilliseconds: 2)
    }
  }

  private static func listen() throws -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let port = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw -> UInt16? in
        guard bind(descriptor, raw, length) == 0, Glibc.listen(descriptor, 16) == 0,
          getsockname(descriptor, raw, &length) == 0
        else { return nil }
        return UnsafeRawPointer(raw).loadUnaligned(as: sockaddr_in.self).sin_port.bigEndian
      }
    }
    guard let port else { throw Failure(what: "no listening socket") }
    return (descriptor, port)
  }

  private static func snapshot(
    _ registry: StatsRegistry, _ terminal: AdminTerminal, descriptor: Int32, port: UInt16,
    bufferLimitBytes: Int
  ) -> Snapshot {
    let scope = registry.makeScope(prefix: "http.admin.")
    var manager = HTTPConnectionManagerConfig(
      stats: HTTPStats(scope),
      listenerCodes: ResponseCodeStats(
        registry.makeScope(prefix: "listener.admin.http.admin."), prefix: "downstream_rq_",
        withCodes: false),
      http2: Frozen(
        HTTP2Config(options: HTTP2Options(), stats: HTTP2Stats(registry.makeScope(prefix: "")))),
      routeTable: 0, filters: FilterChain([]), accessLogs: AccessLogList())
    manager.terminal = terminal
    let chain = FilterChainConfig(name: "", connectionLimits: [], terminal: .http(Frozen(manager)))
    var listener = ListenerConfig(
      name: "admin", addresses: [.ip(IPAddress(v4: 0x7F00_0001), port: port)],
      sockets: [[descriptor]], version: 1,
      stats: ListenerConfig.ListenerStats(
        registry.makeScope(prefix: "listener.admin."), workerNames: []),
      chains: [Frozen(chain)], matcher: FilterChainMatcher(criteria: [.init()], defaultChain: nil),
      accessLogs: AccessLogList())
    listener.bufferLimitBytes = bufferLimitBytes
    return Snapshot(
      generation: 1, clusters: [], hosts: [], routeTables: [], listeners: [Frozen(listener)], workerCount: 1)
  }

  // MARK: Requests

  /// One request on a connection of its own, answered to the end.
  func get(_ target: String, method: String = "GET", body: String = "") throws -> AdminReply {
    let client = try AdminClient(port: port)
    let length = body.isEmpty ? "" : "content-length: \(body.utf8.count)\r\n"
    client.send("\(method) \(target) HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\(length)\r\n\(body)")
    try turn(while: { client.receive() })
    return try AdminReply(client.received)
  }

  /// Runs turns as long as `condition` holds.
  func turn(while condition: () -> Bool) throws {
    var turns = 0
    while condition() {
      worker.turn()
      turns += 1
      guard turns < 200_000 else { throw Failure(what: "the answer does not end") }
    }
  }
}

/// A client that never waits.
final class AdminClient {
  private let descriptor: Int32
  private(set) var received: [UInt8] = []

  /// - Parameter receiveBufferBytes: Small, so that a reader that does not read is soon full.
  init(port: UInt16, receiveBufferBytes: Int32? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if var bytes = receiveBufferBytes {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = port.bigEndian
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else { throw AdminHarness.Failure(what: "no connection: \(errno)") }
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
  }

  deinit { close(descriptor) }

  func send(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(descriptor, bytes, bytes.count)
  }

  /// Takes what is there; false when the server has ended the connection.
  func receive() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count > 0 {
        received += buffer[..<count]
      } else {
        return count < 0 && errno == EAGAIN
      }
    }
  }
}

/// A response, its chunks joined.
struct AdminReply {
  let status: Int
  let headers: [String: String]
  let body: String

  init(_ bytes: [UInt8]) throws {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let end = text.firstRange(of: "\r\n\r\n") else {
      throw AdminHarness.Failure(what: "no head in \(text)")
    }
    let lines = text[..<end.lowerBound].split(separator: "\r\n")
    guard let first = lines.first, let status = Int(first.split(separator: " ")[1]) else {
      throw AdminHarness.Failure(what: "no status line in \(text)")
    }
    self.status = status
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let sides = line.split(separator: ":", maxSplits: 1)
      headers[String(sides[0])] = sides.count > 1 ? String(sides[1].drop { $0 == " " }) : ""
    }
    self.headers = headers
    let rest = Array(text[end.upperBound...].utf8)
    body = headers["transfer-encoding"] == "chunked"
      ? try Self.joined(rest) : String(decoding: rest, as: UTF8.self)
  }

  private static func joined(_ bytes: [UInt8]) throws -> String {
    if bytes.isEmpty { return "" }
    var result: [UInt8] = []
    var index = 0
    while let line = bytes[index...].firstIndex(of: 13) {
      guard let size = Int(String(decoding: bytes[index..<line], as: UTF8.self), radix: 16) else {
        break
      }
      if size == 0 { return String(decoding: result, as: UTF8.self) }
      guard line + 2 + size + 2 <= bytes.count else { break }
      result += bytes[line + 2..<line + 2 + size]
      index = line + 2 + size + 2
    }
    throw AdminHarness.Failure(what: "the chunks do not end")
  }
}
