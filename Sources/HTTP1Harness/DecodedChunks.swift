import HTTP1
import HTTPHarness
import Primitives

/// What a chunked message came to.
package struct ChunkOutcome: Equatable {
  package enum Ending: Equatable {
    case needMore
    case failed(HTTP1Error)
    /// Bytes after the message.
    case end(left: Int)
  }

  package var content: [UInt8]
  package var trailers: [UInt8]
  package var ending: Ending

  package init(content: [UInt8] = [], trailers: [UInt8] = [], ending: Ending = .needMore) {
    self.content = content
    self.trailers = trailers
    self.ending = ending
  }
}

/// Decodes `bytes` given in pieces that end at `ends`.
package func decodeChunks(
  _ bytes: [UInt8], ends: some Sequence<Int>, limits: HTTP1Limits = HTTP1Limits()
) -> ChunkOutcome {
  var decoder = ChunkedDecoder()
  var outcome = ChunkOutcome()
  var start = 0
  for end in ends {
    let isDone = withExactCopy(bytes[start..<end]) { view in
      var offset = 0
      while true {
        switch decoder.next(view, &offset, limits: limits) {
        case .needMore:
          precondition(offset == view.count)
          return false
        case .data(let from, let to):
          precondition(from < to && to <= view.count && offset == to)
          outcome.content += view.slice(from: from, to: to).array
        case .trailerBytes(let from, let to):
          precondition(from < to && to <= view.count && offset == to)
          outcome.trailers += view.slice(from: from, to: to).array
        case .end:
          outcome.ending = .end(left: bytes.count - start - offset)
          return true
        case .failed(let error):
          outcome.ending = .failed(error)
          // How much of a bad section was handed out depends on the cut; that it fails does not.
          outcome.trailers = []
          return true
        }
      }
    }
    if isDone { return outcome }
    start = end
  }
  return outcome
}

/// The outcome of the whole, and the ways of cutting that have another one. Content handed out before
/// a failure is compared too.
package func decodeChunksEveryWay(
  _ bytes: [UInt8], limits: HTTP1Limits = HTTP1Limits()
) -> (outcome: ChunkOutcome, differing: [String]) {
  let whole = decodeChunks(bytes, ends: [bytes.count], limits: limits)
  var differing: [String] = []
  if bytes.isEmpty { return (whole, differing) }
  let bytewise = decodeChunks(bytes, ends: 1...bytes.count, limits: limits)
  if bytewise != whole { differing.append("byte by byte: \(bytewise) instead of \(whole)") }
  for cut in 0...bytes.count {
    let outcome = decodeChunks(bytes, ends: [cut, bytes.count], limits: limits)
    if outcome != whole { differing.append("cut at \(cut): \(outcome) instead of \(whole)") }
  }
  return (whole, differing)
}
