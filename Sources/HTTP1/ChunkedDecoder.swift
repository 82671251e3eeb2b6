import Primitives

/// What a ``ChunkedDecoder`` found. Offsets count from the first byte of the view it was given.
public enum ChunkEvent: Equatable, Sendable {
  /// All bytes are taken.
  case needMore
  /// Content; never empty.
  case data(from: Int, to: Int)
  /// A piece of the trailer section, checked for syntax; the last piece ends with the empty line.
  /// All pieces together are what ``HTTP1Trailers/parse(_:limits:table:)`` takes. Not reported
  /// when there are no trailers.
  case trailerBytes(from: Int, to: Int)
  /// The message is complete; the offset is after its last byte.
  case end
  case failed(HTTP1Error)
}

/// Reads the chunked transfer coding (RFC 9112 section 7.1): a few bytes of state, no copies.
///
/// Chunk extensions are checked and skipped. Line ends are CRLF and nothing else: what two
/// recipients may read differently is refused.
public struct ChunkedDecoder {
  private enum State: UInt8 {
    case firstDigit, size, spaceBeforeExtension, chunkExtension, sizeLineFeed
    case data, dataReturn, dataLineFeed, trailers, end
  }

  private var state = State.firstDigit
  private var trailersSeen = false
  /// Bytes of the current line, or of the trailer section.
  private var lineBytes: UInt32 = 0
  /// The current chunk's size, then what is left of it.
  private var remaining: UInt64 = 0
  private var trailers = FieldSectionScanner()

  public init() {}

  /// The next event in `bytes[offset...]`. Call it until `needMore`, `end` or `failed`.
  ///
  /// - Parameter offset: Moved past what was taken.
  public mutating func next(
    _ bytes: ByteView, _ offset: inout Int, limits: HTTP1Limits
  ) -> ChunkEvent {
    let base = bytes.base
    let end = bytes.count
    while true {
      if state == .end { return .end }
      if offset >= end { return .needMore }
      switch state {
      case .firstDigit, .size, .spaceBeforeExtension, .chunkExtension, .sizeLineFeed:
        if let error = takeLine(base, &offset, end, limits.chunkLineBytesMax) {
          return .failed(error)
        }
      case .data:
        let from = offset
        let taken = min(remaining, UInt64(end &- from))
        remaining &-= taken
        offset = from &+ Int(taken)
        if remaining == 0 { state = .dataReturn }
        return .data(from: from, to: offset)
      case .dataReturn:
        if base[offset] != 13 { return .failed(.badChunkEnd) }
        state = .dataLineFeed
        offset &+= 1
      case .dataLineFeed:
        if base[offset] != 10 { return .failed(.badChunkEnd) }
        state = .firstDigit
        lineBytes = 0
        offset &+= 1
      case .trailers:
        if let event = takeTrailers(base, &offset, end, limits) { return event }
      case .end:
        return .end
      }
    }
  }

  /// Takes as much of a chunk line as there is.
  private mutating func takeLine(
    _ base: UnsafePointer<UInt8>, _ offset: inout Int, _ end: Int, _ lineBytesMax: UInt32
  ) -> HTTP1Error? {
    while offset < end {
      let byte = base[offset]
      if state == .sizeLineFeed {
        if byte != 10 { return .bareCarriageReturn }
        offset &+= 1
        finishLine()
        return nil
      }
      if byte != 13 || state == .firstDigit || state == .spaceBeforeExtension {
        if lineBytes >= lineBytesMax { return .chunkTooLarge }
        lineBytes &+= 1
        if let error = takeLineByte(byte) { return error }
      } else {
        state = .sizeLineFeed
      }
      offset &+= 1
    }
    return nil
  }

  private mutating func takeLineByte(_ byte: UInt8) -> HTTP1Error? {
    switch state {
    case .firstDigit, .size:
      if let digit = ASCII.hexValue(byte) {
        if remaining > UInt64(Int64.max) >> 4 { return .chunkTooLarge }
        remaining = remaining << 4 | UInt64(digit)
        state = .size
        return nil
      }
      if state == .firstDigit { return .badChunkSize }
      if byte == 59 {
        state = .chunkExtension
      } else if ASCII.isOptionalWhitespace(byte) {
        state = .spaceBeforeExtension
      } else {
        return byte == 10 ? .bareLineFeed : .badChunkSize
      }
    case .spaceBeforeExtension:
      if byte == 59 {
        state = .chunkExtension
      } else if !ASCII.isOptionalWhitespace(byte) {
        return .badChunkSize
      }
    default:
      if byte < 32 && byte != 9 || byte == 127 {
        return byte == 10 ? .bareLineFeed : .badChunkSize
      }
    }
    return nil
  }

  private mutating func finishLine() {
    lineBytes = 0
    state = remaining == 0 ? .trailers : .data
  }

  private mutating func takeTrailers(
    _ base: UnsafePointer<UInt8>, _ offset: inout Int, _ end: Int, _ limits: HTTP1Limits
  ) -> ChunkEvent? {
    let from = offset
    let room = Int(limits.trailerBytesMax) &- Int(lineBytes)
    let bounded = min(end, from &+ max(0, room))
    if base[from] != 13, trailers.isAtLineStart { trailersSeen = true }
    let step = trailers.scan(base, from, bounded, fieldCountMax: limits.fieldCountMax)
    if step.isNext {
      offset = step.raw
      state = .end
    } else {
      if step.error != nil || bounded < end { return .failed(.badTrailer) }
      offset = end
      lineBytes &+= UInt32(truncatingIfNeeded: end &- from)
    }
    return trailersSeen ? .trailerBytes(from: from, to: offset) : nil
  }
}
