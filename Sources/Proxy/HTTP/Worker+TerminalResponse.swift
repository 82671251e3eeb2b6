import HTTPCore
import Primitives
import Reactor

/// How an ``HTTPTerminal`` answers: in one piece, or in pieces that never hold up the loop.
///
/// A streamed answer goes like this: ``beginResponse(_:status:headers:)``, one ``write(_:_:)``, and then
/// ``resume(_:)`` when there is room left, so that the terminal's `writable` runs in the next turn;
/// without room, `writable` comes when the client has taken enough. ``endResponse(_:)`` is last.
extension Worker {
  /// A header of an answer, by name.
  public typealias TerminalHeader = (name: KnownHeader, value: StaticString)

  /// How many streams ``resume(_:)`` serves in one turn; the others keep their place in the line.
  static let resumedPerTurnMax = 4

  /// Answers with a complete body.
  public func respond(
    _ stream: HTTPStreamRef, status: UInt16, headers: [TerminalHeader], body: [UInt8]
  ) {
    guard mayRespond(stream) else { return }
    startResponse(stream, status: status, headers: headers)
    stream.pointee.response.set(
      .contentLength, stream.pointee.response.decimal(UInt64(body.count)))
    let hasBody = !body.isEmpty && !stream.pointee.has(.isHead)
    encodeHeaders(stream, endsStream: !hasBody)
    guard hasBody, !stream.pointee.has(.finished) else { return }
    var data = SegmentQueue()
    copy(body, to: &data)
    encodeData(stream, &data, endsStream: true)
  }

  /// Begins an answer whose length is not known.
  ///
  /// - Returns: False when there is nothing to write: the client asked for the head only, which is now
  ///   answered, or it is gone.
  public func beginResponse(
    _ stream: HTTPStreamRef, status: UInt16, headers: [TerminalHeader]
  ) -> Bool {
    guard mayRespond(stream) else { return false }
    startResponse(stream, status: status, headers: headers)
    let isHead = stream.pointee.has(.isHead)
    encodeHeaders(stream, endsStream: isHead)
    return !isHead && !stream.pointee.has(.finished)
  }

  /// Writes a piece of a body that ``beginResponse(_:status:headers:)`` began.
  ///
  /// - Returns: Whether there is room for more. When not, the terminal's `writable` is called once the
  ///   client has taken enough.
  public func write(_ stream: HTTPStreamRef, _ bytes: [UInt8]) -> Bool {
    guard !stream.pointee.has(.finished) else { return false }
    var data = SegmentQueue()
    copy(bytes, to: &data)
    encodeData(stream, &data, endsStream: false)
    return !stream.pointee.has(.finished) && !isResponseBlocked(stream)
  }

  public func endResponse(_ stream: HTTPStreamRef) {
    guard !stream.pointee.has(.finished) else { return }
    var none = SegmentQueue()
    encodeData(stream, &none, endsStream: true)
  }

  /// Calls the terminal's `writable` in the next turn, after the events of that turn.
  public func resume(_ stream: HTTPStreamRef) {
    guard !stream.pointee.has(.finished), !http.resumed.contains(stream) else { return }
    http.resumed.append(stream)
  }

  /// The streams that asked for it go on, the first few of the line.
  func handleResumed() {
    let count = min(http.resumed.count, Self.resumedPerTurnMax)
    guard count > 0 else { return }
    let streams = Array(http.resumed.prefix(count))
    http.resumed.removeFirst(count)
    for stream in streams where !stream.pointee.has(.finished) {
      stream.pointee.manager.pointee.terminal?.writable(self, stream)
    }
  }

  /// Forgets streams that are about to be freed.
  func dropResumed() {
    if !http.resumed.isEmpty { http.resumed.removeAll { $0.pointee.has(.finished) } }
  }

  private func mayRespond(_ stream: HTTPStreamRef) -> Bool {
    stream.pointee.flags.isDisjoint(with: [.finished, .responseStarted])
  }

  private func startResponse(
    _ stream: HTTPStreamRef, status: UInt16, headers: [TerminalHeader]
  ) {
    var map = HeaderMap(unallocatedIn: stream.pointee.response.arenaPointer)
    map.append(.status, map.decimal(UInt64(status)))
    for (name, value) in headers { map.append(name, ByteView(value)) }
    map.append(
      name: ByteView("x-content-type-options"), value: ByteView("nosniff"), known: .other)
    stream.pointee.response = map
    stream.pointee.info.responseCode = status
  }

  private func copy(_ bytes: [UInt8], to data: inout SegmentQueue) {
    bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress, !buffer.isEmpty else { return }
      segments.copy(ByteView(base, buffer.count), to: &data)
    }
  }
}
