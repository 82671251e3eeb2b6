import HTTP2
import HTTPCore
import LoadBase
import Primitives
import Reactor

/// HTTP/2 connections: answers out.
extension OriginWorker {
  /// Output above this waits in the streams, so that they take turns.
  private static let http2OutputMax = 256 << 10
  /// Bytes that announce a message.
  private static let prefixBytes = 5

  /// Answers, or does what the plan has in its place.
  func http2Answer(_ stream: OriginStreamRef, _ time: UInt64) {
    let connection = stream.pointee.connection
    guard let session = connection.pointee.h2, let socket = connection.pointee.socket else { return }
    served &+= 1
    http2MarkForFlush(connection)
    switch stream.pointee.answer.fault {
    case .status(let status):
      stream.pointee.answer.setStatus(status)
      stream.pointee.answer.bodyBytes = 0
    case .reset:
      session.pointee.reset(stream.pointee.codec, .internalError)
      http2Release(stream)
      return
    case .close:
      letGo(connection)
      close(socket)
      return
    case .silence: return
    case nil: break
    }
    let answer = stream.pointee.answer
    let hasMessage = plan.isGRPC && answer.grpcStatus == .ok
    let bodyBytes =
      plan.isGRPC
      ? (hasMessage ? answer.bodyBytes + Self.prefixBytes : 0) : answer.hasBody ? answer.bodyBytes : 0
    stream.pointee.isAnswered = true
    let head =
      answer.isUsual ? http2.usual : OriginHTTP2.head(answer, isGRPC: plan.isGRPC, in: http2.turn)
    guard session.pointee.submitResponse(stream.pointee.codec, head, ends: bodyBytes == 0) else {
      http2Release(stream)
      return
    }
    guard bodyBytes > 0 else { return }
    stream.pointee.prefixLeft = hasMessage ? Self.prefixBytes : 0
    stream.pointee.answer.bodyLeft = bodyBytes
    stream.pointee.pieceAt = time
    if plan.bodyRate == nil { offer(stream, session, bodyBytes) } else { scheduleHTTP2Piece(stream) }
  }

  private func offer(_ stream: OriginStreamRef, _ session: HTTP2SessionRef, _ count: Int) {
    stream.pointee.answer.bodyLeft -= count
    stream.pointee.unpacked += count
    let ends = stream.pointee.answer.bodyLeft == 0
    session.pointee.offer(
      stream.pointee.codec, bytes: count, ends: ends,
      trailers: ends && plan.isGRPC ? UnsafePointer(http2.goodTrailers) : nil)
  }

  /// A delay is over, or the next piece of a slow body is due.
  func http2DueNow(_ stream: OriginStreamRef, _ time: UInt64) {
    if !stream.pointee.isAnswered { return http2Answer(stream, time) }
    guard let session = stream.pointee.connection.pointee.h2, let rate = plan.bodyRate else { return }
    let bytes = Int(Double(time - stream.pointee.pieceAt) * Double(rate) / 1e9)
    // A reader that is slower still gets less: what it has not taken is not added to.
    if bytes > 0, stream.pointee.unpacked < Self.http2OutputMax {
      // Whole bytes only: the rest of the time counts for the next piece.
      stream.pointee.pieceAt &+= UInt64(Double(bytes) * 1e9 / Double(rate))
      offer(stream, session, min(bytes, stream.pointee.answer.bodyLeft))
      http2MarkForFlush(stream.pointee.connection)
    } else if bytes > 0 {
      stream.pointee.pieceAt = time
    }
    if stream.pointee.answer.bodyLeft > 0 { scheduleHTTP2Piece(stream) }
  }

  private func scheduleHTTP2Piece(_ stream: OriginStreamRef) {
    guard let rate = plan.bodyRate else { return }
    wait(for: stream, until: stream.pointee.pieceAt &+ Self.pieceInterval(rate))
  }

  // MARK: Flush

  func http2MarkForFlush(_ connection: OriginRef) {
    guard !connection.pointee.isToFlush else { return }
    connection.pointee.isToFlush = true
    connection.pointee.nextToFlush = firstToFlush
    firstToFlush = connection
  }

  /// At the end of a turn, also while a send is in flight: heads point into memory of the turn.
  func http2FlushAll() {
    guard firstToFlush != nil else { return }
    while let connection = firstToFlush {
      firstToFlush = connection.pointee.nextToFlush
      connection.pointee.isToFlush = false
      if let session = connection.pointee.h2, let socket = connection.pointee.socket {
        http2Flush(connection, session, socket)
      }
    }
    http2.turn.pointee.reset()
  }

  private func http2Flush(_ connection: OriginRef, _ session: HTTP2SessionRef, _ socket: SocketRef) {
    while true {
      switch session.pointee.output(mayTakeData: socket.pointee.output.byteCount < Self.http2OutputMax) {
      case .bytes(let view, _): segments.copy(view, to: &socket.pointee.output)
      case .data(let codec, let header, let count, _): put(codec, header, count, socket)
      case .ended(let codec), .closed(let codec, _): if let stream = originStream(codec) { http2Release(stream) }
      case .failed:
        markDirty(socket)
        finish(connection)
        return
      case .idle:
        markDirty(socket)
        if socket.pointee.output.byteCount > Self.outputMax {
          // Whoever does not read what it asked for asks for nothing more.
          connection.pointee.obstacles.insert(.outputFull)
        }
        if connection.pointee.hasEnded, connection.pointee.streams == nil { finish(connection) }
        return
      }
    }
  }

  /// One DATA frame: its nine bytes, then the prefix of a message and letters.
  private func put(
    _ codec: HTTP2StreamRef, _ header: InlineArray<9, UInt8>, _ count: Int, _ socket: SocketRef
  ) {
    let target = segments.reserve(9, in: &socket.pointee.output)
    for i in 0..<9 { target[i] = header[i] }
    guard let stream = originStream(codec) else {
      assertionFailure("DATA of a stream that is over")
      return
    }
    var left = count
    while left > 0, stream.pointee.prefixLeft > 0 {
      // A byte that says "not compressed", then the length.
      let shift = (stream.pointee.prefixLeft - 1) * 8
      let byte = stream.pointee.prefixLeft == Self.prefixBytes ? 0 : stream.pointee.answer.bodyBytes >> shift
      segments.reserve(1, in: &socket.pointee.output)[0] = UInt8(truncatingIfNeeded: byte)
      stream.pointee.prefixLeft -= 1
      left -= 1
      stream.pointee.unpacked -= 1
    }
    while left > 0 {
      let answer = stream.pointee.answer
      let offset = answer.bodyBytes - answer.bodyLeft - stream.pointee.unpacked
      let piece = content.letters(from: max(0, offset), count: left)
      if piece.count <= Self.copiedBytesMax {
        segments.copy(piece, to: &socket.pointee.output)
      } else {
        socket.pointee.output.append(segments.borrowed(piece))
      }
      stream.pointee.unpacked -= piece.count
      left -= piece.count
    }
  }

  /// Pieces up to this size are copied behind what was written before.
  private static let copiedBytesMax = 1024
}
