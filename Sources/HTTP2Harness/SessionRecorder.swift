import HTTP2
import HTTPCore
import HTTPHarness
import Primitives

/// A session with an owner that writes everything down: what happened, and what was sent.
///
/// The owner is a model of the proxy: it takes requests, gives streams arenas, keeps offered bodies,
/// and releases each stream once it is over.
package final class SessionRecorder {
  package final class Exchange {
    package let stream: HTTP2StreamRef
    let arena: UnsafeMutablePointer<Arena>
    let trailerMap: UnsafeMutablePointer<HeaderMap>
    /// Bytes that were offered and not sent.
    var queue: [UInt8] = []
    package fileprivate(set) var received: [UInt8] = []
    package fileprivate(set) var hasEnded = false
    package fileprivate(set) var isOver = false
    fileprivate var isReleased = false

    fileprivate init(_ stream: HTTP2StreamRef, _ arenas: ArenaPool) {
      self.stream = stream
      arena = .allocate(capacity: 1)
      arena.initialize(to: Arena(pool: arenas))
      trailerMap = .allocate(capacity: 1)
      trailerMap.initialize(to: HeaderMap(unallocatedIn: arena))
    }

    deinit {
      arena.pointee.reset()
      arena.deallocate()
      trailerMap.deallocate()
    }
  }

  package let arenas = ArenaPool()
  package let memory: HTTP2Memory
  private let ownsMemory: Bool
  package let session: HTTP2SessionRef
  private let isServer: Bool

  /// One line for each event; pieces of a body are one.
  package private(set) var events: [String] = []
  package private(set) var reader: FrameReader
  package private(set) var exchanges: [Int32: Exchange] = [:]
  /// Bytes that came out, in order.
  package private(set) var sentBytes: [UInt8] = []
  /// Data is given back to the peer's windows as it comes.
  package var consumesData = true
  /// Streams are released as soon as they are over.
  package var releases = true
  /// Requests are answered with 200 and their body, when they are complete.
  package var answers = false
  package var now: UInt64 = 1
  /// Names of fields that came as never-indexed literals.
  package private(set) var sensitiveNames: [String] = []
  package private(set) var hasFailed = false
  package private(set) var failure: HTTP2Error?
  package private(set) var sendFailure: HTTP2Error?

  package init(
    server options: HTTP2Options? = nil, client: HTTP2Options? = nil, memory shared: HTTP2Memory? = nil
  ) {
    memory = shared ?? HTTP2Memory(arenas: arenas)
    ownsMemory = shared == nil
    isServer = client == nil
    let made =
      if let client {
        HTTP2Session.makeClient(client, memory)
      } else {
        HTTP2Session.makeServer(options ?? HTTP2Options(), memory)
      }
    guard let made else { preconditionFailure("no session") }
    session = made
    reader = FrameReader(expectsPreface: !isServer)
  }

  deinit {
    for exchange in exchanges.values where !exchange.isReleased {
      session.pointee.release(exchange.stream)
    }
    HTTP2Session.free(session)
    exchanges = [:]
    precondition(arenas.lentCount == 0 || !ownsMemory)
    if ownsMemory {
      precondition(memory.sessionCount == 0)
      precondition(memory.streamCount == 0)
      precondition(memory.bytesHeld == 0)
    }
  }

  // MARK: In

  /// Feeds the bytes as pieces that end at `ends`.
  package func feed(_ bytes: [UInt8], ends: [Int]? = nil, drains: Bool = false) {
    var start = 0
    for end in ends ?? [bytes.count] {
      withExactCopy(bytes[start..<end]) { view in
        var offset = 0
        while true {
          let event = session.pointee.next(view, &offset, now: now)
          if case .needMore = event { break }
          record(event, view)
        }
        precondition(offset == view.count)
      }
      start = end
      if drains { drain() }
    }
  }

  private func record(_ event: HTTP2Event, _ view: ByteView) {
    switch event {
    case .needMore: break
    case .head(let stream, let head):
      let map = take(stream)
      for i in 0..<map.slotCount where map[slot: i].isSensitive {
        sensitiveNames.append(map[slot: i].name.string)
      }
      var text = "\(stream.pointee.id) head"
      if !isServer { text += " \(head.status)" }
      if head.contentLength >= 0 { text += " length \(head.contentLength)" }
      if head.expectsContinue { text += " continue" }
      if head.isExtendedConnect { text += " extended" }
      add(text + (head.ends ? " END" : "") + list(map))
      if head.ends { ended(stream) }
    case .interim(let stream, let status):
      add("\(stream.pointee.id) interim \(status)" + list(session.pointee.headers))
    case .trailers(let stream):
      add("\(stream.pointee.id) trailers" + list(session.pointee.headers))
      ended(stream)
    case .data(let stream, let from, let to, let ends):
      precondition(from >= 0 && from <= to && to <= view.count)
      let id = stream.pointee.id
      exchanges[id]?.received += view.slice(from: from, to: to).array
      if consumesData { session.pointee.consume(stream, to - from) }
      if events.last?.hasPrefix("\(id) data ") == true { events.removeLast() }
      let bytes = exchanges[id]?.received.count ?? 0
      events.append("\(id) data \(bytes)" + (ends ? " END" : ""))
      if ends { ended(stream) }
    case .reset(let stream, let code, let byPeer, let isUnprocessed):
      let kind = (byPeer ? " by peer" : "") + (isUnprocessed ? " unprocessed" : "")
      add("\(stream.pointee.id) reset \(code.rawValue)\(kind)")
      over(stream)
    case .malformed(let stream, let error):
      if let stream {
        let isNew = exchanges[stream.pointee.id] == nil
        let map = isNew ? take(stream) : nil
        add("\(stream.pointee.id) malformed \(error.reason)" + (map.map(list) ?? ""))
        over(stream)
      } else {
        add("malformed \(error.reason)")
      }
    case .tooLarge(let stream, let error):
      let map = take(stream)
      add("\(stream.pointee.id) too large \(error.reason) \(map.count)")
      if stream.pointee.hasReceivedEnd { ended(stream) }
    case .settings: add("settings")
    case .goAway(let last, let code): add("goaway \(last) \(code.rawValue)")
    case .pong(let payload): add("pong \(payload)")
    case .failed(let error):
      if sendFailure != nil { break }  // the output was the first to know
      precondition(failure == nil, "told twice")
      failure = error
      hasFailed = true
      add("failed \(error.reason) \(error.code.rawValue)")
    }
  }

  private func add(_ line: String) { events.append(line) }

  private func list(_ map: HeaderMap) -> String { " [\(describe(map).joined(separator: ", "))]" }

  /// A request moves into its exchange; a response is already there.
  private func take(_ stream: HTTP2StreamRef) -> HeaderMap {
    if !isServer { return session.pointee.headers }
    let exchange = Exchange(stream, arenas)
    precondition(exchanges[stream.pointee.id] == nil, "a stream was announced twice")
    exchanges[stream.pointee.id] = exchange
    stream.pointee.arena = exchange.arena
    return session.pointee.takeRequest(into: exchange.arena)
  }

  private func ended(_ stream: HTTP2StreamRef) {
    guard answers, isServer, let exchange = exchanges[stream.pointee.id] else { return }
    let body = exchange.received
    respond(stream.pointee.id, 200, ends: body.isEmpty)
    if !body.isEmpty { offer(stream.pointee.id, body, ends: true) }
  }

  private func over(_ stream: HTTP2StreamRef) {
    guard let exchange = exchanges[stream.pointee.id] else {
      preconditionFailure("an event for a stream that nobody has")
    }
    precondition(!exchange.isReleased, "an event for a released stream")
    exchange.isOver = true
    if releases { release(stream.pointee.id) }
  }

  package func release(_ id: Int32) {
    guard let exchange = exchanges[id], !exchange.isReleased else { return }
    exchange.isReleased = true
    session.pointee.release(exchange.stream)
  }

  // MARK: Out

  private func map(_ fields: [(String, String)], _ exchange: Exchange) -> HeaderMap {
    var map = HeaderMap(unallocatedIn: exchange.arena)
    for (name, value) in fields {
      let name = copy(name, exchange)
      map.append(
        name: name, value: copy(value, exchange), known: KnownHeaderTable.shared.find(name))
    }
    return map
  }

  private func copy(_ text: String, _ exchange: Exchange) -> ByteView {
    withExactCopy(text.wire) { exchange.arena.pointee.copy($0) }
  }

  @discardableResult
  package func respond(
    _ id: Int32, _ status: Int, _ fields: [(String, String)] = [], ends: Bool = true
  ) -> Bool {
    guard let exchange = exchanges[id] else { preconditionFailure("no stream \(id)") }
    let map = map([(":status", String(status))] + fields, exchange)
    return session.pointee.submitResponse(exchange.stream, map, ends: ends)
  }

  @discardableResult
  package func interim(_ id: Int32, _ status: UInt16, _ fields: [(String, String)] = []) -> Bool {
    guard let exchange = exchanges[id] else { preconditionFailure("no stream \(id)") }
    return session.pointee.submitInterim(
      exchange.stream, status: status, map(fields, exchange))
  }

  /// - Returns: The stream's id, or nil.
  @discardableResult
  package func request(
    _ method: String = "GET", _ fields: [(String, String)] = [], ends: Bool = true,
    pseudo: [(String, String)] = [(":scheme", "http"), (":authority", "a"), (":path", "/")],
    connectProtocol: StaticString? = nil
  ) -> Int32? {
    // The exchange needs a stream and the map an arena: a stream of its own until there is one.
    let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
    arena.initialize(to: Arena(pool: arenas))
    var map = HeaderMap(unallocatedIn: arena)
    for (name, value) in [(":method", method)] + pseudo + fields {
      let name = withExactCopy(name.wire) { arena.pointee.copy($0) }
      map.append(
        name: name, value: withExactCopy(value.wire) { arena.pointee.copy($0) },
        known: KnownHeaderTable.shared.find(name))
    }
    let owner = Unmanaged.passUnretained(self).toOpaque()
    let connectProtocol = connectProtocol.map { ByteView($0) }
    guard let stream = session.pointee.submitRequest(map, connectProtocol: connectProtocol, ends: ends, owner: owner)
    else {
      arena.pointee.reset()
      arena.deallocate()
      return nil
    }
    let exchange = Exchange(stream, arenas)
    exchange.arena.pointee = arena.pointee
    arena.deallocate()
    exchanges[stream.pointee.id] = exchange
    stream.pointee.arena = exchange.arena
    return stream.pointee.id
  }

  package func offer(
    _ id: Int32, _ bytes: [UInt8], ends: Bool, trailers: [(String, String)]? = nil
  ) {
    guard let exchange = exchanges[id] else { preconditionFailure("no stream \(id)") }
    exchange.queue += bytes
    if let trailers { exchange.trailerMap.pointee = map(trailers, exchange) }
    session.pointee.offer(
      exchange.stream, bytes: bytes.count, ends: ends,
      trailers: trailers == nil ? nil : UnsafePointer(exchange.trailerMap))
  }

  package func reset(_ id: Int32, _ code: HTTP2Code = .cancel) {
    guard let exchange = exchanges[id] else { preconditionFailure("no stream \(id)") }
    session.pointee.reset(exchange.stream, code)
    if releases { release(id) }
  }

  /// Takes output until there is no more.
  ///
  /// - Parameter room: DATA bytes for which there is room.
  package func drain(room: Int = .max) {
    var room = room
    while true {
      switch session.pointee.output(mayTakeData: room > 0) {
      case .bytes(let view, _): send(view.array)
      case .data(let stream, let header, let count, let ends):
        guard let exchange = exchanges[stream.pointee.id], !exchange.isReleased else {
          preconditionFailure("data of a stream that nobody has")
        }
        precondition(count <= exchange.queue.count)
        send((0..<9).map { header[$0] } + exchange.queue.prefix(count))
        exchange.queue.removeFirst(count)
        if ends { precondition(exchange.queue.isEmpty) }
        room -= count
      case .ended(let stream):
        guard let exchange = exchanges[stream.pointee.id], !exchange.isReleased else {
          preconditionFailure("the end of a stream that nobody has")
        }
        precondition(!exchange.hasEnded, "ended twice")
        exchange.hasEnded = true
        if stream.pointee.hasReceivedEnd { over(stream) }
      case .closed(let stream, let code):
        add("\(stream.pointee.id) closed \(code.rawValue)")
        over(stream)
      case .failed(let error):
        sendFailure = error
        if failure == nil {
          // The receiver would say it with the next input.
          failure = error
          hasFailed = true
          add("failed \(error.reason) \(error.code.rawValue)")
        }
        precondition(!reader.hasPartialFrame)
        return
      case .idle:
        precondition(!reader.hasPartialFrame)
        return
      }
    }
  }

  private func send(_ bytes: [UInt8]) {
    sentBytes += bytes
    reader.read(bytes)
  }

  /// What was sent since the last call.
  package func takeSent() -> [UInt8] {
    defer { sentBytes = [] }
    return sentBytes
  }

  package var frames: [String] { reader.lines }
}
