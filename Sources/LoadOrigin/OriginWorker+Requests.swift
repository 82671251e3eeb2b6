import HTTP1
import HTTPCore
import LoadBase
import Primitives
import Reactor

extension OriginWorker {
  /// Reads requests until the bytes are used up or something stands in the way.
  func take(_ connection: OriginRef, _ segment: SegmentRef) {
    if let session = connection.pointee.h2 { return http2Take(connection, session, segment) }
    let serial = connection.pointee.serial
    let bytes = ByteView(segment.pointee.base, segment.pointee.count)
    var at = 0
    while at < bytes.count, connection.pointee.obstacles.isEmpty {
      let rest = bytes.dropFirst(at)
      switch connection.pointee.stage {
      case .head: at += takeHead(connection, rest)
      case .length: at += takeLength(connection, rest)
      case .chunked: at += takeChunks(connection, rest)
      }
      guard connection.pointee.serial == serial else {
        segments.release(segment)
        return
      }
    }
    guard at < bytes.count else {
      segments.release(segment)
      return
    }
    // The rest waits in front of what may have waited already.
    var rest = SegmentQueue()
    segments.copy(bytes.dropFirst(at), to: &rest)
    segments.release(segment)
    rest.append(&connection.pointee.input)
    connection.pointee.input = rest
  }

  private func takeHead(_ connection: OriginRef, _ bytes: ByteView) -> Int {
    var head = RequestHead()
    if connection.pointee.heldCount > 0 { return takeHeldHead(connection, bytes) }
    switch HTTP1RequestParser.parse(
      bytes, limits: limits, options: options, table: &fields, into: &head)
    {
    case .complete(let length):
      headDone(connection, head, bytes)
      return length
    case .needMore:
      connection.pointee.scanner = .request()
      hold(connection, bytes)
    case .failed: refuse(connection)
    }
    return bytes.count
  }

  private func hold(_ connection: OriginRef, _ bytes: ByteView) {
    let held: UnsafeMutablePointer<UInt8>
    if let known = connection.pointee.held {
      held = known
    } else {
      held = .allocate(capacity: Int(limits.headBytesMax))
      connection.pointee.held = held
    }
    let count = min(Int(limits.headBytesMax) - connection.pointee.heldCount, bytes.count)
    (held + connection.pointee.heldCount).update(from: bytes.base, count: count)
    connection.pointee.heldCount += count
  }

  private func takeHeldHead(_ connection: OriginRef, _ bytes: ByteView) -> Int {
    let before = connection.pointee.heldCount
    hold(connection, bytes)
    guard let held = connection.pointee.held else { return bytes.count }
    let view = ByteView(held, connection.pointee.heldCount)
    switch connection.pointee.scanner.scan(view, limits: limits) {
    case .needMore: return bytes.count
    case .failed:
      refuse(connection)
      return bytes.count
    case .mayBeComplete: break
    }
    var head = RequestHead()
    switch HTTP1RequestParser.parse(
      view, limits: limits, options: options, table: &fields, into: &head)
    {
    case .complete(let length):
      connection.pointee.heldCount = 0
      headDone(connection, head, view)
      return length - before
    case .needMore: break
    case .failed: refuse(connection)
    }
    return bytes.count
  }

  private func refuse(_ connection: OriginRef) {
    guard let socket = connection.pointee.socket else { return }
    segments.copy(
      ByteView("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
      to: &socket.pointee.output)
    finish(connection)
  }

  private func headDone(_ connection: OriginRef, _ head: RequestHead, _ bytes: ByteView) {
    var answer = plannedAnswer(head.target(in: bytes), isHead: head.method == .head)
    answer.isHTTP10 = head.isHTTP10
    answer.keepAlive = head.keepAlive
    answer.isChunked = plan.isChunked && !head.isHTTP10
    // Calls need HTTP/2.
    if plan.isGRPC { answer.setStatus(505) }
    connection.pointee.answer = answer
    switch head.framing {
    case .none, .untilClose: requestDone(connection)
    case .length(let length):
      connection.pointee.stage = .length
      connection.pointee.remaining = length
      if head.expectContinue { sendContinue(connection) }
    case .chunked:
      connection.pointee.stage = .chunked
      connection.pointee.chunks = ChunkedDecoder()
      if head.expectContinue { sendContinue(connection) }
    }
  }

  /// What a request with this path is answered with.
  @inline(__always)
  func plannedAnswer(_ path: ByteView, isHead: Bool) -> OriginAnswer {
    var answer = OriginAnswer()
    answer.bodyBytes = plan.bodyBytes
    answer.isHead = isHead
    answer.isChunked = plan.isChunked
    answer.delay = plan.delay.draw(&random)
    if !plan.faults.isEmpty { answer.fault = drawFault() }
    PathOverrides.apply(path, to: &answer)
    return answer
  }

  private func sendContinue(_ connection: OriginRef) {
    guard let socket = connection.pointee.socket else { return }
    segments.copy(ByteView(HTTP1Writer.continue100), to: &socket.pointee.output)
    markDirty(socket)
  }

  private func drawFault() -> OriginFault.Kind? {
    var point = Double(random.next() >> 11) * 0x1p-53
    for fault in plan.faults {
      if point < fault.fraction { return fault.kind }
      point -= fault.fraction
    }
    return nil
  }

  private func takeLength(_ connection: OriginRef, _ bytes: ByteView) -> Int {
    let taken = Int(min(connection.pointee.remaining, UInt64(bytes.count)))
    connection.pointee.remaining &-= UInt64(taken)
    if connection.pointee.remaining == 0 { requestDone(connection) }
    return taken
  }

  private func takeChunks(_ connection: OriginRef, _ bytes: ByteView) -> Int {
    var at = 0
    while true {
      switch connection.pointee.chunks.next(bytes, &at, limits: limits) {
      case .needMore: return at
      case .data, .trailerBytes: break
      case .end:
        requestDone(connection)
        return at
      case .failed:
        refuse(connection)
        return bytes.count
      }
    }
  }

  /// The whole request is there: it is answered now or later.
  private func requestDone(_ connection: OriginRef) {
    connection.pointee.stage = .head
    let delay = connection.pointee.answer.delay
    if delay == 0 {
      answer(connection, now)
      return
    }
    connection.pointee.obstacles.insert(.answering)
    due.insert(
      DueQueue.Entry(
        due: now &+ delay, connection: connection, serial: connection.pointee.serial))
  }
}
