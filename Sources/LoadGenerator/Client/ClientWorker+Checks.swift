import Glibc
import LoadReport
import Primitives

/// Whether the content of an answer is the expected one, whatever carried it.
extension ClientWorker {
  /// Looks at a piece of it as far as the checks ask for it.
  @inline(__always)
  func note(_ content: inout BodyProgress, _ piece: ByteView) {
    let before = content.bytes
    content.bytes = before &+ UInt64(piece.count)
    if let expectedBody { compare(&content, piece, expectedBody, from: before) }
    if hashesBody { content.hash.add(piece) }
  }

  private func compare(
    _ content: inout BodyProgress, _ piece: ByteView, _ expected: UnsafeMutablePointer<UInt8>,
    from: UInt64
  ) {
    if from &+ UInt64(piece.count) > UInt64(expectedBodyCount)
      || memcmp(piece.base, expected + Int(from), piece.count) != 0
    {
      content.isOther = true
    }
  }

  func bodyFault(_ content: BodyProgress, isHead: Bool) -> ErrorKind? {
    if isHead { return nil }
    if let expected = plan.check.bodyBytes, content.bytes != UInt64(expected) { return .lengthMismatch }
    if expectedBody != nil, content.isOther || content.bytes != UInt64(expectedBodyCount) { return .bodyMismatch }
    if let expected = plan.check.bodyHash, content.hash.value != expected { return .bodyMismatch }
    return nil
  }
}
