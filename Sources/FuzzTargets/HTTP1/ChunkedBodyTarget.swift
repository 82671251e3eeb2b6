import HTTP1
import HTTP1Harness
import HTTPCore
import HTTPHarness
import Primitives

extension FuzzTarget {
  /// Chunked content with trailers. Choices: limits, where to cut.
  package static let chunkedBody = FuzzTarget(name: "chunked-body", bytesMax: 2048) { bytes in
    var input = FuzzInput(bytes)
    let options = input.choice()
    let cut = Int(input.choice()) | Int(options >> 4) << 8
    let limits =
      options.bit(0)
      ? HTTP1Limits(fieldCountMax: 2, chunkLineBytesMax: 20, trailerBytesMax: 40) : HTTP1Limits()
    let message = input.rest()
    let whole = decodeChunks(message, ends: [message.count], limits: limits)
    if !message.isEmpty {
      let at = cut % (message.count + 1)
      try requireEqual(
        decodeChunks(message, ends: [at, message.count], limits: limits), whole, "cut at \(at)")
      try requireEqual(
        decodeChunks(message, ends: 1...message.count, limits: limits), whole, "byte by byte")
    }
    let reference = ReferenceChunks(message)
    switch whole.ending {
    case .needMore:
      try require(reference == nil, "does not see the end after \(reference?.length ?? 0) bytes")
    case .failed: break
    case .end(let left):
      try requireEqual(message.count - left, reference?.length, "length")
      try requireEqual(whole.content, reference?.content, "content")
      try checkTrailers(whole.trailers, limits)
    }
  }

  private static func checkTrailers(
    _ section: [UInt8], _ limits: HTTP1Limits
  ) throws(Violation) {
    if section.isEmpty { return }
    try require(section.count <= Int(limits.trailerBytesMax), "\(section.count) trailer bytes")
    var table = FieldTable(capacity: 128)
    defer { table.deallocate() }
    let error = withExactCopy(section) { HTTP1Trailers.parse($0, limits: limits, table: &table) }
    try requireEqual(error, nil, "the decoder took the trailers, the parser does not")
    try require(table.count > 0 && table.count <= Int(limits.fieldCountMax), "\(table.count)")
    let fields = withArena { arena in
      let copy = arena.pointee.allocate(section.count)
      for (i, byte) in section.enumerated() { copy[i] = byte }
      var map = HeaderMap(arena: arena)
      HTTP1Trailers.build(copied: copy, table: &table, into: &map)
      return describe(map)
    }
    for field in fields {
      let name = field.prefix { $0 != ":" }
      try require(!["content-length", "host", "set-cookie", "trailer"].contains(name), field)
    }
    try checkHeadFields(fields, framing: .none)
  }
}
