import HTTP1
import Primitives

let bodyCases: [MicroCase] = [
  MicroCase("chunks-64-KiB") { decoding(chunkBytes: 4096, chunkCount: 16) },
  MicroCase("chunks-of-16-bytes") { decoding(chunkBytes: 16, chunkCount: 64) },
]

/// A whole chunked body in one piece.
private func decoding(chunkBytes: Int, chunkCount: Int) -> (Int) -> UInt64 {
  let chunk =
    "\(String(chunkBytes, radix: 16))\r\n\(String(repeating: "x", count: chunkBytes))\r\n"
  let bytes = lasting(String(repeating: chunk, count: chunkCount) + "0\r\n\r\n")
  return { count in
    var digest = Digest()
    for _ in 0..<count {
      var decoder = ChunkedDecoder()
      var offset = 0
      var content = 0
      decoding: while true {
        switch decoder.next(bytes, &offset, limits: HTTP1Limits()) {
        case .data(let from, let to): content += to - from
        case .end: break decoding
        case .needMore, .trailerBytes, .failed: preconditionFailure("the body is whole")
        }
      }
      precondition(content == chunkBytes * chunkCount, "all content came")
      digest.add(content)
    }
    return digest.value
  }
}
