import Glibc
import Primitives
import Reactor
import Stats
import TLS

/// Bytes of a TLS connection: records in, plaintext on.
extension Worker {
  func tlsReceived(_ connection: ConnectionRef, _ segment: SegmentRef) {
    guard let tls = connection.pointee.tls, !tls.pointee.readEnded, tls.pointee.stage != .failed else {
      segments.release(segment)
      return
    }
    segments.park(segment, in: &tls.pointee.received)
    switch tls.pointee.stage {
    case .hello: tlsReadHello(connection, tls)
    case .handshake:
      tlsQueue(connection, tls)
      // Nobody may fill memory while the queue is long.
      if tls.pointee.received.byteCount > connection.pointee.outputLimit { stopReading(connection) }
    case .attached, .detached:
      tlsDeliver(connection)
      if !connection.pointee.has(.closed) { blockInputIfOverLimit(connection) }
    case .failed: break
    }
  }

  /// Opens held records as long as somebody wants the plaintext.
  func tlsDeliver(_ connection: ConnectionRef) {
    while let tls = connection.pointee.tls, tls.pointee.isEstablished, connection.pointee.has(.wantsRead),
      !connection.pointee.has(.closed), connection.pointee.input.head == nil || keepsInput(connection),
      takesInput(connection)
    {
      guard var plaintext = tls.pointee.stage == .detached ? openRecord(connection, tls) : readAttached(connection, tls)
      else { break }
      // What comes first may end the connection, which takes nothing any more then.
      while !connection.pointee.has(.closed), let piece = plaintext.removeFirst() { deliver(connection, piece) }
      segments.releaseAll(&plaintext)
    }
    tlsEndInput(connection)
  }

  /// Records that wait because nobody wants them are bounded like any other input.
  func tlsHolds(_ connection: ConnectionRef) -> Int {
    connection.pointee.tls.map { $0.pointee.received.byteCount } ?? 0
  }

  /// Whether a record waits that can be opened when somebody wants it.
  func tlsHasRecord(_ connection: ConnectionRef) -> Bool {
    guard connection.pointee.has(.isTLS), let tls = connection.pointee.tls, !tls.pointee.readEnded else { return false }
    switch tls.pointee.stage {
    case .attached: return !tls.pointee.received.isEmpty
    case .detached:
      guard tls.pointee.received.byteCount >= RecordHeader.count else { return false }
      var five = InlineArray<8, UInt8>(repeating: 0)
      return withUnsafeMutablePointer(to: &five) { pointer in
        let bytes = UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt8.self)
        peek(tls.pointee.received, RecordHeader.count, to: bytes)
        let count = Int(bytes[3]) << 8 | Int(bytes[4])
        return tls.pointee.received.byteCount >= RecordHeader.count + count
      }
    case .hello, .handshake, .failed: return false
    }
  }

  /// The peer's direction is over and everything before was handed on.
  private func tlsEndInput(_ connection: ConnectionRef) {
    guard let tls = connection.pointee.tls, tls.pointee.readEnded, !connection.pointee.has(.readEnded),
      !connection.pointee.has(.closed)
    else { return }
    connection.pointee.flags.insert(.readEnded)
    cancelReceive(connection)
    if connection.pointee.input.head != nil || !connection.pointee.has(.wantsRead) {
      makeReady(connection)
    } else {
      readEnded(connection)
    }
  }

  /// The socket ended: true when that is not what the end of the connection's bytes means.
  func tlsSocketEnded(_ connection: ConnectionRef) -> Bool {
    guard let tls = connection.pointee.tls else { return false }
    switch tls.pointee.stage {
    case .hello, .handshake:
      _ = tlsSocketFailed(connection, errno: 0)
      return true
    case .attached, .detached:
      // After close_notify the end of the socket says nothing new.
      if tls.pointee.readEnded { return true }
      tls.pointee.isTruncated = true
      return false
    case .failed: return false
    }
  }

  /// The socket broke: true when that ends a handshake.
  func tlsSocketFailed(_ connection: ConnectionRef, errno: Int32) -> Bool {
    guard let tls = connection.pointee.tls, tls.pointee.stage == .hello || tls.pointee.stage == .handshake else {
      return false
    }
    if tls.pointee.stage == .handshake, connection.pointee.has(.isQueuedTLS) {
      // What came before, an alert perhaps, is looked at first.
      connection.pointee.flags.insert(.readEnded)
      tls.pointee.socketEnd = errno
    } else {
      tlsFailed(connection, tls, .socket(errno))
    }
    return true
  }

  // MARK: Detached

  /// The plaintext of the next record; empty for one without any; nil when there is no whole record or the connection is over.
  private func openRecord(_ connection: ConnectionRef, _ tls: TLSRef) -> SegmentQueue? {
    guard !tls.pointee.readEnded, tls.pointee.received.byteCount >= RecordHeader.count, tls.pointee.records != nil
    else { return nil }
    var five = InlineArray<8, UInt8>(repeating: 0)
    let header: RecordHeader
    do throws(TLSAlert) {
      header = try withUnsafeMutablePointer(to: &five) { pointer throws(TLSAlert) in
        let bytes = UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt8.self)
        peek(tls.pointee.received, RecordHeader.count, to: bytes)
        return try tls.pointee.records!.header(ByteView(bytes, RecordHeader.count))
      }
    } catch {
      tlsFailed(connection, tls, .broken(error))
      return nil
    }
    guard tls.pointee.received.byteCount >= RecordHeader.count + header.bodyCount else { return nil }
    segments.drop(RecordHeader.count, from: &tls.pointee.received)
    var content = open(tls, header)
    guard let opened = content else {
      tlsFailed(connection, tls, .broken(.badRecordMAC))
      return nil
    }
    content = nil
    return interpret(connection, tls, header, opened)
  }

  /// Decrypts a record's body where it lies.
  private func open(_ tls: TLSRef, _ header: RecordHeader) -> SegmentQueue? {
    var small = InlineArray<24, UInt8>(repeating: 0)
    return withUnsafeMutablePointer(to: &small) { pointer in
      let bytes = UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt8.self)
      let nonceCount = tls.pointee.records!.explicitNonceCount
      if nonceCount > 0 {
        peek(tls.pointee.received, nonceCount, to: bytes)
        segments.drop(nonceCount, from: &tls.pointee.received)
      }
      let count = tls.pointee.records!.contentCount(header)
      var content = segments.take(count, from: &tls.pointee.received)
      tls.pointee.records!.beginOpen(header, explicitNonce: ByteView(bytes, nonceCount))
      var next = content.head
      while let run = next {
        tls.pointee.records!.openRun(run.pointee.base, run.pointee.count)
        next = run.pointee.next
      }
      peek(tls.pointee.received, RecordProtection.tagCount, to: bytes)
      segments.drop(RecordProtection.tagCount, from: &tls.pointee.received)
      guard tls.pointee.records!.endOpen(tag: ByteView(bytes, RecordProtection.tagCount)) else {
        segments.releaseAll(&content)
        return nil
      }
      return content
    }
  }

  private func interpret(
    _ connection: ConnectionRef, _ tls: TLSRef, _ header: RecordHeader, _ opened: SegmentQueue
  ) -> SegmentQueue? {
    var content = opened
    var type = header.type
    if tls.pointee.records!.isTLS13 {
      guard let inner = trimToInner(&content) else {
        segments.releaseAll(&content)
        tlsFailed(connection, tls, .broken(.unexpectedMessage))
        return nil
      }
      type = inner
    }
    if content.byteCount > RecordHeader.plaintextBytesMax {
      segments.releaseAll(&content)
      tlsFailed(connection, tls, .broken(.recordOverflow))
      return nil
    }
    let event: RecordReader.Event
    if type == RecordHeader.applicationData {
      event = tls.pointee.reader.data(content.byteCount)
      if event == .data { return content }
    } else {
      var joined = SegmentQueue()
      let view = join(&content, to: &joined)
      event = tls.pointee.reader.control(type: type, content: view, protection: &tls.pointee.records!)
      segments.releaseAll(&joined)
    }
    segments.releaseAll(&content)
    switch event {
    case .data, .nothing: return SegmentQueue()
    case .closed:
      peerClosed(tls)
      return nil
    case .answerKeyUpdate:
      // Nothing may follow close_notify.
      if tls.pointee.closeNotifySent { return SegmentQueue() }
      let room = segments.reserve(RecordProtection.controlRecordBytesMax, in: &tls.pointee.sending)
      let count = tls.pointee.records!.sealKeyUpdate(asksForAnswer: false, to: room)
      segments.unreserve(RecordProtection.controlRecordBytesMax - count, in: &tls.pointee.sending)
      markDirty(connection)
      return SegmentQueue()
    case .refuse(let alert):
      tlsSealAlert(tls, alert, isFatal: false)
      markDirty(connection)
      return SegmentQueue()
    case .failed(let alert): tlsFailed(connection, tls, .alert(alert))
    case .broken(let alert): tlsFailed(connection, tls, .broken(alert))
    }
    return nil
  }

  /// close_notify, which may have been held when the socket ended behind it.
  private func peerClosed(_ tls: TLSRef) {
    tls.pointee.readEnded = true
    tls.pointee.isTruncated = false
    segments.releaseAll(&tls.pointee.received)
  }

  /// Cuts the type and the padding behind it off the content; nil when there is no type.
  private func trimToInner(_ content: inout SegmentQueue) -> UInt8? {
    // As a rule in the last run.
    if let tail = content.tail, let inner = InnerContent(ByteView(tail.pointee.base, tail.pointee.count)) {
      segments.trimLast(tail.pointee.count - inner.count, of: &content)
      return inner.type
    }
    var whole = SegmentQueue()
    let view = join(&content, to: &whole)
    content = whole
    guard let inner = InnerContent(view) else { return nil }
    segments.trimLast(view.count - inner.count, of: &content)
    return inner.type
  }

  private func join(_ content: inout SegmentQueue, to joined: inout SegmentQueue) -> ByteView {
    let count = content.byteCount
    if count == 0 {
      segments.releaseAll(&content)
      return .empty
    }
    let target = segments.reserve(count, in: &joined)
    peek(content, count, to: target)
    segments.releaseAll(&content)
    return ByteView(target, count)
  }

  /// Copies the first bytes of a queue.
  private func peek(_ queue: SegmentQueue, _ count: Int, to: UnsafeMutablePointer<UInt8>) {
    var at = 0
    var next = queue.head
    while at < count, let segment = next {
      let part = min(segment.pointee.count, count - at)
      (to + at).update(from: segment.pointee.base, count: part)
      at += part
      next = segment.pointee.next
    }
  }

  // MARK: Attached

  private func readAttached(_ connection: ConnectionRef, _ tls: TLSRef) -> SegmentQueue? {
    guard let handshake = tls.pointee.handshake, !tls.pointee.readEnded else { return nil }
    var plaintext = SegmentQueue()
    var chunk = segments.chunk(minimumBytes: 4000)
    while true {
      var input = ByteView.empty
      if let head = tls.pointee.received.head {
        input = ByteView(head.pointee.base, head.pointee.count)
      }
      let before = input.count
      let room = segments.reserve(512, in: &tls.pointee.sending)
      var output = OutputRoom(room, capacity: 512)
      let result = handshake.read(
        into: chunk.pointee.base, room: min(chunk.pointee.room, 4000), input: &input, output: &output)
      segments.unreserve(512 - output.count, in: &tls.pointee.sending)
      if tls.pointee.sending.isEmpty, !connection.pointee.has(.sendInFlight) {
        segments.releaseAll(&tls.pointee.sending)
      }
      if output.count > 0 { markDirty(connection) }
      let used = before - input.count
      if used > 0 { segments.drop(used, from: &tls.pointee.received) }
      switch result {
      case .data(let count):
        chunk.pointee.count = count
        chunk.pointee.room -= count
        plaintext.append(chunk)
        // The rest of the record too: nothing would tell that the library still has some of it.
        if handshake.holdsPlaintext {
          chunk = segments.chunk(minimumBytes: 4000)
          continue
        }
        tlsTryDetach(connection, tls)
        return plaintext
      case .needsInput:
        if used > 0, tls.pointee.received.byteCount > 0 { continue }
        segments.release(chunk)
        return plaintext.isEmpty ? nil : plaintext
      case .needsRoom: continue
      case .closed:
        segments.release(chunk)
        peerClosed(tls)
        return plaintext.isEmpty ? nil : plaintext
      case .failed:
        segments.release(chunk)
        segments.releaseAll(&plaintext)
        tlsFailed(connection, tls, .library)
        return nil
      }
    }
  }

  /// Takes an established connection out of the library when that can be: its memory shrinks to a quarter.
  func tlsTryDetach(_ connection: ConnectionRef, _ tls: TLSRef) {
    guard tls.pointee.stage == .attached, let handshake = tls.pointee.handshake, let contexts = tlsContexts else {
      return
    }
    if tls.pointee.isClient { tlsKeepTicket(connection, handshake) }
    guard !environment.flags.keepsTLSAttached, let records = handshake.detach(contexts.library) else { return }
    tls.pointee.reader = RecordReader(isClient: tls.pointee.isClient, isTLS13: records.isTLS13)
    tls.pointee.records = records
    tls.pointee.stage = .detached
    tlsFreeHandshake(tls)
  }
}
