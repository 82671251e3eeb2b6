import Glibc
import Primitives
import Reactor
import TLS

/// Records in, plaintext on.
extension SocketLoop {
  func tlsReceived(_ socket: SocketRef, _ segment: SegmentRef) {
    guard let tls = socket.pointee.tls, !tls.pointee.readEnded, tls.pointee.stage != .failed else {
      segments.release(segment)
      return
    }
    recordsCame(socket, count: segment.pointee.count)
    segments.park(segment, in: &tls.pointee.received)
    if tls.pointee.stage == .handshake {
      tlsStep(socket, tls)
    } else {
      tlsDeliver(socket)
    }
  }

  /// Opens held records as long as the owner takes bytes.
  func tlsDeliver(_ socket: SocketRef) {
    while let tls = socket.pointee.tls, tls.pointee.isEstablished, socket.pointee.has(.wantsRead),
      !socket.pointee.has(.closed)
    {
      guard var plaintext = tls.pointee.stage == .detached ? openRecord(socket, tls) : readAttached(socket, tls)
      else { break }
      while let piece = plaintext.removeFirst() {
        if socket.pointee.has(.closed) { segments.release(piece) } else { received(socket, piece) }
      }
    }
    tlsEndInput(socket)
  }

  /// The owner takes bytes again: records that waited are opened later in this turn, or in the next.
  func tlsHold(_ socket: SocketRef) {
    guard let tls = socket.pointee.tls, tls.pointee.isEstablished, !socket.pointee.has(.isHeld) else { return }
    socket.pointee.flags.insert(.isHeld)
    socket.pointee.nextHeld = held
    held = socket
  }

  func deliverHeld() {
    var next = held
    held = nil
    while let socket = next {
      next = socket.pointee.nextHeld
      socket.pointee.nextHeld = nil
      socket.pointee.flags.remove(.isHeld)
      if socket.pointee.has(.closed) { finishClose(socket) } else { tlsDeliver(socket) }
    }
  }

  /// Tells the owner once that the peer sends no more, when everything before was handed on.
  private func tlsEndInput(_ socket: SocketRef) {
    guard let tls = socket.pointee.tls, tls.pointee.isEstablished, socket.pointee.has(.wantsRead),
      !socket.pointee.has(.closed), !socket.pointee.has(.endTold),
      tls.pointee.readEnded || socket.pointee.has(.readEnded)
    else { return }
    if !tls.pointee.readEnded { socket.pointee.flags.insert(.isTruncated) }
    socket.pointee.flags.insert(.endTold)
    readEnded(socket)
  }

  /// The socket ended or broke.
  func tlsSocketEnded(_ socket: SocketRef, errno code: Int32) {
    guard let tls = socket.pointee.tls else { return }
    switch tls.pointee.stage {
    case .handshake:
      let words = code == 0 ? "the peer closed the connection" : String(cString: strerror(code)).lowercased()
      tlsEnd(socket, tls, words)
    case .attached, .detached: if code == 0 { tlsEndInput(socket) } else { failed(socket, errno: code) }
    case .failed: break
    }
  }

  // MARK: Detached

  /// The plaintext of the next record, empty for one without any; nil when there is no whole record, or the connection is
  /// over.
  private func openRecord(_ socket: SocketRef, _ tls: LoopTLSRef) -> SegmentQueue? {
    guard !tls.pointee.readEnded, tls.pointee.received.byteCount >= RecordHeader.count, tls.pointee.records != nil
    else { return nil }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: RecordProtection.tagCount) { room -> SegmentQueue? in
      guard let bytes = room.baseAddress else { return nil }
      tls.pointee.received.copyFirst(RecordHeader.count, to: bytes)
      let header: RecordHeader
      do throws(TLSAlert) {
        header = try tls.pointee.records!.header(ByteView(bytes, RecordHeader.count))
      } catch {
        tlsBroken(socket, tls, error)
        return nil
      }
      guard tls.pointee.received.byteCount >= RecordHeader.count + header.bodyCount else { return nil }
      segments.drop(RecordHeader.count, from: &tls.pointee.received)
      let nonceCount = tls.pointee.records!.explicitNonceCount
      tls.pointee.received.copyFirst(nonceCount, to: bytes)
      segments.drop(nonceCount, from: &tls.pointee.received)
      var content = segments.take(tls.pointee.records!.contentCount(header), from: &tls.pointee.received)
      tls.pointee.records!.beginOpen(header, explicitNonce: ByteView(bytes, nonceCount))
      var next = content.head
      while let run = next {
        tls.pointee.records!.openRun(run.pointee.base, run.pointee.count)
        next = run.pointee.next
      }
      tls.pointee.received.copyFirst(RecordProtection.tagCount, to: bytes)
      segments.drop(RecordProtection.tagCount, from: &tls.pointee.received)
      guard tls.pointee.records!.endOpen(tag: ByteView(bytes, RecordProtection.tagCount)) else {
        segments.releaseAll(&content)
        tlsBroken(socket, tls, .badRecordMAC)
        return nil
      }
      return interpret(socket, tls, header, &content)
    }
  }

  private func interpret(
    _ socket: SocketRef, _ tls: LoopTLSRef, _ header: RecordHeader, _ content: inout SegmentQueue
  ) -> SegmentQueue? {
    var type = header.type
    if tls.pointee.records!.isTLS13 {
      guard let inner = trimToInner(&content) else {
        segments.releaseAll(&content)
        tlsBroken(socket, tls, .unexpectedMessage)
        return nil
      }
      type = inner
    }
    if content.byteCount > RecordHeader.plaintextBytesMax {
      segments.releaseAll(&content)
      tlsBroken(socket, tls, .recordOverflow)
      return nil
    }
    let event: RecordReader.Event
    if type == RecordHeader.applicationData {
      event = tls.pointee.reader.data(content.byteCount)
      if event == .data { return content }
    } else {
      let view = join(&content)
      event = tls.pointee.reader.control(type: type, content: view, protection: &tls.pointee.records!)
    }
    segments.releaseAll(&content)
    switch event {
    case .data, .nothing: return SegmentQueue()
    case .closed:
      tls.pointee.readEnded = true
      segments.releaseAll(&tls.pointee.received)
    case .answerKeyUpdate:
      if !tls.pointee.closeNotifySent {
        let room = segments.reserve(RecordProtection.controlRecordBytesMax, in: &tls.pointee.sending)
        let count = tls.pointee.records!.sealKeyUpdate(asksForAnswer: false, to: room)
        segments.unreserve(RecordProtection.controlRecordBytesMax - count, in: &tls.pointee.sending)
        markDirty(socket)
      }
      return SegmentQueue()
    case .refuse(let alert):
      tlsSealAlert(tls, alert, isFatal: false)
      markDirty(socket)
      return SegmentQueue()
    case .failed(let alert): tlsEnd(socket, tls, TLSFailureText.alertWords(alert))
    case .broken(let alert): tlsBroken(socket, tls, alert)
    }
    return nil
  }

  /// The peer broke a rule of records: it is told which.
  private func tlsBroken(_ socket: SocketRef, _ tls: LoopTLSRef, _ alert: TLSAlert) {
    tlsSealAlert(tls, alert, isFatal: true)
    tlsEnd(socket, tls, alert == .badRecordMAC ? "a record is not authentic" : "a malformed record")
  }

  /// Cuts the type and the padding behind it off the content; nil when there is no type.
  private func trimToInner(_ content: inout SegmentQueue) -> UInt8? {
    // As a rule in the last run.
    if let tail = content.tail, let inner = InnerContent(ByteView(tail.pointee.base, tail.pointee.count)) {
      segments.trimLast(tail.pointee.count - inner.count, of: &content)
      return inner.type
    }
    let view = join(&content)
    guard let inner = InnerContent(view) else { return nil }
    segments.trimLast(view.count - inner.count, of: &content)
    return inner.type
  }

  /// Puts the content into one run.
  private func join(_ content: inout SegmentQueue) -> ByteView {
    if let head = content.head, head.pointee.next != nil {
      var joined = SegmentQueue()
      let count = content.byteCount
      content.copyFirst(count, to: segments.reserve(count, in: &joined))
      segments.releaseAll(&content)
      content = joined
    }
    return content.head.map { ByteView($0.pointee.base, $0.pointee.count) } ?? .empty
  }

  // MARK: Attached

  private func readAttached(_ socket: SocketRef, _ tls: LoopTLSRef) -> SegmentQueue? {
    guard let handshake = tls.pointee.handshake, !tls.pointee.readEnded else { return nil }
    var plaintext = SegmentQueue()
    var chunk = segments.chunk(minimumBytes: Self.attachedRead)
    while true {
      var input = ByteView.empty
      if let head = tls.pointee.received.head { input = ByteView(head.pointee.base, head.pointee.count) }
      let before = input.count
      let room = segments.reserve(Self.answerRoom, in: &tls.pointee.sending)
      var output = OutputRoom(room, capacity: Self.answerRoom)
      let result = handshake.read(
        into: chunk.pointee.base, room: min(chunk.pointee.room, Self.attachedRead), input: &input, output: &output)
      tlsReturnRoom(socket, tls, Self.answerRoom - output.count)
      if output.count > 0 { markDirty(socket) }
      let used = before - input.count
      if used > 0 { segments.drop(used, from: &tls.pointee.received) }
      switch result {
      case .data(let count):
        chunk.pointee.count = count
        chunk.pointee.room -= count
        plaintext.append(chunk)
        // The rest of the record too: nothing would tell that the library still has some of it.
        if handshake.holdsPlaintext {
          chunk = segments.chunk(minimumBytes: Self.attachedRead)
          continue
        }
        tlsTryDetach(socket, tls)
        return plaintext
      case .needsInput:
        if used > 0, !tls.pointee.received.isEmpty { continue }
        segments.release(chunk)
        return plaintext.isEmpty ? nil : plaintext
      case .needsRoom: continue
      case .closed:
        segments.release(chunk)
        tls.pointee.readEnded = true
        segments.releaseAll(&tls.pointee.received)
        return plaintext.isEmpty ? nil : plaintext
      case .failed:
        segments.release(chunk)
        segments.releaseAll(&plaintext)
        tlsEnd(socket, tls, handshake.failureWords)
        return nil
      }
    }
  }

  private static let attachedRead = 3900
  private static let answerRoom = 512
}

extension SegmentQueue {
  /// Copies the first bytes.
  fileprivate func copyFirst(_ count: Int, to target: UnsafeMutablePointer<UInt8>) {
    var at = 0
    var next = head
    while at < count, let segment = next {
      let part = min(segment.pointee.count, count - at)
      (target + at).update(from: segment.pointee.base, count: part)
      at += part
      next = segment.pointee.next
    }
  }
}
