import HTTP1
import LoadBase
import Primitives
import Reactor

extension OriginWorker {
  /// Slow bodies leave in pieces at this distance, nanoseconds; at least one byte is due by then.
  static func pieceInterval(_ rate: Int) -> UInt64 { max(10_000_000, 1_000_000_000 / UInt64(max(1, rate)) + 1) }
  private static let chunkBytes = 16 << 10

  /// A delay is over, or the next piece of a slow body is due.
  func dueNow(_ connection: OriginRef, _ time: UInt64) {
    connection.pointee.obstacles.remove(.answering)
    let serial = connection.pointee.serial
    if connection.pointee.answer.bodyLeft > 0 {
      sendPiece(connection, time)
    } else {
      answer(connection, time)
    }
    if connection.pointee.serial == serial, connection.pointee.obstacles.isEmpty {
      resume(connection)
    }
  }

  /// Queues the answer, or what the plan has in its place.
  func answer(_ connection: OriginRef, _ time: UInt64) {
    guard let socket = connection.pointee.socket else { return }
    served &+= 1
    if let fault = connection.pointee.answer.fault {
      switch fault {
      case .status(let status):
        connection.pointee.answer.setStatus(status)
        connection.pointee.answer.bodyBytes = 0
      case .reset:
        letGo(connection)
        reset(socket)
        return
      case .close:
        finish(connection)
        return
      case .silence:
        connection.pointee.obstacles.insert(.ending)
        return
      }
    }
    let answer = connection.pointee.answer
    markDirty(socket)
    if answer.isUsual, answer.keepAlive, !answer.isHead, !answer.isHTTP10, let usual = content.usual
    {
      socket.pointee.output.append(segments.borrowed(usual))
      finishAnswer(connection)
      return
    }
    queueHead(socket, answer)
    guard answer.hasBody, answer.bodyBytes > 0 else {
      if answer.hasBody, answer.isChunked { queueLastChunk(socket) }
      finishAnswer(connection)
      return
    }
    connection.pointee.answer.bodyLeft = answer.bodyBytes
    connection.pointee.pieceAt = time
    if plan.bodyRate == nil {
      queueBody(connection, socket, answer.bodyBytes)
      finishBody(connection, socket)
    } else {
      schedulePiece(connection)
    }
  }

  private func queueHead(_ socket: SocketRef, _ answer: OriginAnswer) {
    var options: HTTP1Writer.ResponseOptions = []
    if !answer.keepAlive { options.insert(.connectionClose) }
    if answer.keepAlive, answer.isHTTP10 { options.insert(.keepAlive) }
    let framing: BodyFraming =
      answer.status == 204
      ? .none : answer.isChunked ? .chunked : .length(UInt64(answer.bodyBytes))
    let room = AnswerContent.headBytesMax
    let target = segments.reserve(room, in: &socket.pointee.output)
    let count = content.writeHead(
      status: answer.status, framing: framing, options: options, to: target)
    segments.unreserve(room - count, in: &socket.pointee.output)
  }

  /// Queues the next `count` bytes of the body.
  private func queueBody(_ connection: OriginRef, _ socket: SocketRef, _ count: Int) {
    let isChunked = connection.pointee.answer.isChunked
    var left = count
    while left > 0 {
      let offset = connection.pointee.answer.bodyBytes - connection.pointee.answer.bodyLeft
      let piece = content.letters(
        from: offset, count: isChunked ? min(left, Self.chunkBytes) : left)
      if isChunked {
        let room = HTTP1Writer.chunkHeadSize
        let target = segments.reserve(room, in: &socket.pointee.output)
        let size = HTTP1Writer.writeChunkHead(UInt64(piece.count), to: target)
        segments.unreserve(room - size, in: &socket.pointee.output)
      }
      socket.pointee.output.append(segments.borrowed(piece))
      if isChunked {
        segments.copy(ByteView(HTTP1Writer.chunkEnd), to: &socket.pointee.output)
      }
      left -= piece.count
      connection.pointee.answer.bodyLeft -= piece.count
    }
  }

  private func queueLastChunk(_ socket: SocketRef) {
    segments.copy(ByteView(HTTP1Writer.lastChunk), to: &socket.pointee.output)
  }

  private func finishBody(_ connection: OriginRef, _ socket: SocketRef) {
    if connection.pointee.answer.isChunked { queueLastChunk(socket) }
    finishAnswer(connection)
  }

  // MARK: Slow bodies

  private func schedulePiece(_ connection: OriginRef) {
    guard let rate = plan.bodyRate else { return }
    connection.pointee.obstacles.insert(.answering)
    due.insert(
      DueQueue.Entry(
        due: connection.pointee.pieceAt &+ Self.pieceInterval(rate), connection: connection,
        serial: connection.pointee.serial))
  }

  private func sendPiece(_ connection: OriginRef, _ time: UInt64) {
    guard let socket = connection.pointee.socket, let rate = plan.bodyRate else { return }
    let elapsed = time - connection.pointee.pieceAt
    let bytes = Int(Double(elapsed) * Double(rate) / 1e9)
    // A reader that is slower still gets less: what it has not taken is not added to.
    if bytes > 0, socket.pointee.output.byteCount < Self.outputMax {
      // Whole bytes only: the rest of the time counts for the next piece.
      connection.pointee.pieceAt &+= UInt64(Double(bytes) * 1e9 / Double(rate))
      queueBody(connection, socket, min(bytes, connection.pointee.answer.bodyLeft))
      markDirty(socket)
    } else if bytes > 0 {
      connection.pointee.pieceAt = time
    }
    if connection.pointee.answer.bodyLeft > 0 {
      schedulePiece(connection)
    } else {
      finishBody(connection, socket)
    }
  }

  // MARK: After an answer

  private func finishAnswer(_ connection: OriginRef) {
    guard let socket = connection.pointee.socket else { return }
    if !connection.pointee.answer.keepAlive {
      finish(connection)
    } else if socket.pointee.output.byteCount > Self.outputMax {
      connection.pointee.obstacles.insert(.outputFull)
    }
  }
}
