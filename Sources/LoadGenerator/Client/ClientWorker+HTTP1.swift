import Glibc
import HTTP1
import HTTPCore
import LoadBase
import LoadReport
import Primitives
import Reactor

extension ClientWorker {
  /// Reads as many answers as the bytes hold.
  func http1Received(_ connection: ClientRef, _ segment: SegmentRef) {
    var bytes = ByteView(segment.pointee.base, segment.pointee.count)
    while bytes.count > 0 {
      if connection.pointee.pendingCount == 0 {
        if connection.pointee.isEnding { return }
        count(.protocolError, note: "bytes came that no request asked for")
        replace(connection)
        return
      }
      let taken: Int?
      switch connection.pointee.answer.stage {
      case .head: taken = takeHead(connection, bytes)
      case .length, .untilClose: taken = takeBody(connection, bytes)
      case .chunked: taken = takeChunks(connection, bytes)
      }
      // nil: the connection is gone.
      guard let taken else { return }
      bytes = bytes.dropFirst(taken)
    }
  }

  // MARK: Head

  /// - Returns: Bytes taken; nil when the answer is broken and the connection replaced.
  @inline(__always)
  private func takeHead(_ connection: ClientRef, _ bytes: ByteView) -> Int? {
    if connection.pointee.heldCount > 0 { return takeHeldHead(connection, bytes) }
    let request = connection.pointee.pending[Int(connection.pointee.pendingFirst)]
    switch HTTP1ResponseParser.parse(
      bytes, method: compiled[Int(request.content)].method, limits: limits, table: &fields,
      into: &connection.pointee.answer.head)
    {
    case .complete(let length):
      return headDone(connection) ? length : nil
    case .needMore:
      hold(connection, bytes)
      return bytes.count
    case .failed(let error):
      return broken(connection, error)
    }
  }

  /// Keeps the beginning of a head until the rest is there.
  @inline(never)
  private func hold(_ connection: ClientRef, _ bytes: ByteView) {
    let held: UnsafeMutablePointer<UInt8>
    if let known = connection.pointee.held {
      held = known
    } else {
      held = .allocate(capacity: Int(limits.headBytesMax))
      connection.pointee.held = held
    }
    let room = Int(limits.headBytesMax) - connection.pointee.heldCount
    let count = min(room, bytes.count)
    (held + connection.pointee.heldCount).update(from: bytes.base, count: count)
    if connection.pointee.heldCount == 0 { connection.pointee.answer.scanner = .response() }
    connection.pointee.heldCount += count
  }

  @inline(never)
  private func takeHeldHead(_ connection: ClientRef, _ bytes: ByteView) -> Int? {
    let before = connection.pointee.heldCount
    hold(connection, bytes)
    guard let held = connection.pointee.held else { return nil }
    let view = ByteView(held, connection.pointee.heldCount)
    switch connection.pointee.answer.scanner.scan(view, limits: limits) {
    case .needMore: return bytes.count
    case .failed(let error): return broken(connection, error)
    case .mayBeComplete: break
    }
    let request = connection.pointee.pending[Int(connection.pointee.pendingFirst)]
    switch HTTP1ResponseParser.parse(
      view, method: compiled[Int(request.content)].method, limits: limits, table: &fields,
      into: &connection.pointee.answer.head)
    {
    case .complete(let length):
      connection.pointee.heldCount = 0
      return headDone(connection) ? length - before : nil
    case .needMore: return bytes.count
    case .failed(let error): return broken(connection, error)
    }
  }

  /// - Returns: false when the connection is gone.
  @inline(__always)
  private func headDone(_ connection: ClientRef) -> Bool {
    let head = connection.pointee.answer.head
    if head.isInterim { return true }
    if head.isTunnel {
      _ = broken(connection, "a switch of protocols that no request asked for")
      return false
    }
    connection.pointee.answer.content.bytes = 0
    connection.pointee.answer.content.isOther = false
    if hashesBody { connection.pointee.answer.content.hash = XXHash64Stream() }
    switch head.framing {
    case .none: return finishHTTP1Answer(connection)
    case .length(let length):
      connection.pointee.answer.stage = .length
      connection.pointee.answer.remaining = length
    case .chunked:
      connection.pointee.answer.stage = .chunked
      connection.pointee.answer.chunks = ChunkedDecoder()
    case .untilClose:
      connection.pointee.answer.stage = .untilClose
      connection.pointee.answer.remaining = .max
    }
    return true
  }

  // MARK: Body

  @inline(__always)
  private func takeBody(_ connection: ClientRef, _ bytes: ByteView) -> Int? {
    let taken = Int(min(connection.pointee.answer.remaining, UInt64(bytes.count)))
    note(&connection.pointee.answer.content, bytes.prefix(taken))
    connection.pointee.answer.remaining &-= UInt64(taken)
    if connection.pointee.answer.remaining == 0 {
      return finishHTTP1Answer(connection) ? taken : nil
    }
    return taken
  }

  private func takeChunks(_ connection: ClientRef, _ bytes: ByteView) -> Int? {
    var at = 0
    while true {
      switch connection.pointee.answer.chunks.next(bytes, &at, limits: limits) {
      case .needMore: return at
      case .data(let from, let to): note(&connection.pointee.answer.content, bytes.slice(from: from, to: to))
      case .trailerBytes: break
      case .end: return finishHTTP1Answer(connection) ? at : nil
      case .failed(let error): return broken(connection, error)
      }
    }
  }

  // MARK: The end of an answer

  /// - Returns: false when the connection is gone.
  @discardableResult
  func finishHTTP1Answer(_ connection: ClientRef) -> Bool {
    let head = connection.pointee.answer.head
    connection.pointee.answer.stage = .head
    finish(connection, fault: fault(connection), status: Int(head.status))
    if head.keepAlive, !plan.newConnectionPerRequest {
      answered(connection)
      return true
    }
    failPending(connection, .closedEarly, note: "the answer before it ended the connection")
    if head.framing == .untilClose || !plan.newConnectionPerRequest {
      replace(connection)
      return false
    }
    // The peer was told to close: whoever closes first keeps the port for a minute, which should
    // not be us.
    connection.pointee.isEnding = true
    if let socket = connection.pointee.socket { wake(socket, at: now &+ 100_000_000) }
    return true
  }

  @inline(__always)
  private func fault(_ connection: ClientRef) -> ErrorKind? {
    let status = Int(connection.pointee.answer.head.status)
    if !acceptedStatuses[status] { return .unexpectedStatus }
    if !checksBody { return nil }
    let request = connection.pointee.pending[Int(connection.pointee.pendingFirst)]
    return bodyFault(connection.pointee.answer.content, isHead: compiled[Int(request.content)].method == .head)
  }

  // MARK: Broken answers

  private func broken(_ connection: ClientRef, _ error: HTTP1Error) -> Int? {
    broken(connection, "\(error)")
  }

  @inline(never)
  private func broken(_ connection: ClientRef, _ what: String) -> Int? {
    failPending(connection, .protocolError, note: what)
    replace(connection)
    return nil
  }
}
