import Primitives

/// Takes the first handshake message out of its records.
enum HelloRecords {
  enum Outcome {
    case needMore, notTLS, malformed, tooLarge
    /// The message behind its own header, and where the bytes after it begin.
    case complete(body: ByteView, recordBytes: Int)
  }

  private static let clientHello: UInt8 = 1
  private static let messageHeader = 4

  static func gather(
    _ bytes: ByteView, limit: Int, scratch: UnsafeMutablePointer<UInt8>
  ) -> Outcome {
    var at = 0  // in bytes
    var gathered = 0  // bytes of the message seen
    var messageCount: Int?  // header included, once it is known
    var first: ByteView?  // the content of the only record so far
    while true {
      let header = bytes.dropFirst(at)
      guard isBeginning(header) else { return at == 0 ? .notTLS : .malformed }
      guard header.count >= RecordHeader.count else { return at + RecordHeader.count > limit ? .tooLarge : .needMore }
      let recordCount = Int(header[3]) << 8 | Int(header[4])
      guard recordCount > 0, recordCount <= RecordHeader.plaintextBytesMax else { return .malformed }
      at += RecordHeader.count
      let content = bytes.dropFirst(at).prefix(recordCount)
      // Look at the type as soon as it is there: what is no hello is not waited for.
      if gathered == 0, content.count > 0, content[0] != clientHello { return .malformed }
      guard gathered + content.count <= limit else { return .tooLarge }
      // The first record is read where it lies; only a second one makes it necessary to copy.
      if let only = first {
        scratch.update(from: only.base, count: only.count)
        first = nil
      }
      if gathered == 0 {
        first = content
      } else {
        (scratch + gathered).update(from: content.base, count: content.count)
      }
      gathered += content.count
      let message = first ?? ByteView(scratch, gathered)
      if messageCount == nil, message.count >= messageHeader {
        messageCount = messageHeader + (Int(message[1]) << 16 | Int(message[2]) << 8 | Int(message[3]))
      }
      if let messageCount {
        let missing = messageCount - gathered
        guard at + content.count + missing <= limit else { return .tooLarge }
        if missing <= 0 {
          return .complete(
            body: message.slice(from: messageHeader, to: messageCount),
            recordBytes: at + content.count + missing)
        }
      }
      at += content.count
      guard content.count == recordCount else { return at >= limit ? .tooLarge : .needMore }
    }
  }

  /// Whether these may be the first bytes of a record with handshake messages: type 22, version 3.x.
  private static func isBeginning(_ header: ByteView) -> Bool {
    if header.count > 0, header[0] != RecordHeader.handshake { return false }
    return header.count < 2 || header[1] == 3
  }
}
