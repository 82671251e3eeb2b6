import HTTP1
import HTTP1Harness
import HTTPCore
import HTTPHarness
import Primitives

extension FuzzTarget {
  /// A head that was parsed, written, and parsed again is the same head; then the rest of the
  /// input as chunks. Choices: the writer's options, which kind of message.
  package static let writer = FuzzTarget(name: "writer", bytesMax: 1024) { bytes in
    var input = FuzzInput(bytes)
    let options = input.choice()
    let kind = input.choice()
    let message = input.rest()
    if kind.bit(0) {
      try WrittenResponse(options: options, method: kind.bit(1) ? .connect : .get).check(message)
    } else {
      try WrittenRequest(options: options).check(message)
    }
    try checkWrittenChunks(message, stride: Int(kind >> 2) + 1)
  }

  /// Content written as chunks of `stride` bytes comes back.
  private static func checkWrittenChunks(
    _ content: [UInt8], stride size: Int
  ) throws(Violation) {
    var wire: [UInt8] = []
    for from in stride(from: 0, to: content.count, by: size) {
      let chunk = content[from..<min(content.count, from + size)]
      wire += writing(room: HTTP1Writer.chunkHeadSize) {
        HTTP1Writer.writeChunkHead(UInt64(chunk.count), to: $0)
      }
      wire += chunk
      wire += ByteView(HTTP1Writer.chunkEnd).array
    }
    wire += ByteView(HTTP1Writer.lastChunk).array
    let decoded = decodeChunks(wire, ends: [wire.count])
    try requireEqual(
      decoded, ChunkOutcome(content: content, ending: .end(left: 0)), "chunks of \(size)")
  }
}

/// What `body` writes into memory of exactly `room` bytes.
private func writing(room: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int) -> [UInt8] {
  let target = UnsafeMutablePointer<UInt8>.allocate(capacity: room)
  defer { target.deallocate() }
  let count = body(target)
  precondition(count <= room, "wrote \(count) bytes into \(room)")
  return ByteView(target, count).array
}

/// Lines of a header map without those that only say how the message came.
private func lasting(_ fields: [String], but dropped: Set<String>) -> [String] {
  fields.filter { line in !dropped.contains { isField(":" + $0, line) } }
}

/// Whether a line of a header map is of that name. By bytes: a value that begins with a combining mark makes one
/// character of the mark and the space before it.
private func isField(_ name: String, _ line: String) -> Bool {
  line.utf8.starts(with: (name + ": ").utf8)
}

private struct WrittenRequest {
  var options: UInt8
  private let reader = HeadParser(
    options: HTTP1RequestOptions(acceptHTTP10: true), keepUpgrade: true)

  init(options: UInt8) { self.options = options }

  func check(_ message: [UInt8]) throws(Violation) {
    guard let first = reader.parse(message).request else { return }
    // HTTP/1.0 may come without a host; it gets one before it is written.
    guard first.fields.contains(where: { isField(":authority", $0) }) else { return }
    var flags = HTTP1Writer.RequestOptions(rawValue: options & 13)
    if first.isUpgrade { flags.insert(.upgrade) }
    let once = write(message, first, flags)
    guard let second = reader.parse(once).request else {
      throw Violation(
        description: "written \(String(decoding: once, as: UTF8.self)): \(reader.parse(once))")
    }
    try requireEqual(second.length, once.count, "length")
    try requireEqual(second.framing, first.framing, "framing")
    try requireEqual(second.keepAlive, !flags.contains(.connectionClose), "keep alive")
    try requireEqual(second.isUpgrade, first.isUpgrade, "upgrade")
    var expected = first.fields
    // An Upgrade field without `connection: upgrade` asks for nothing and is not written.
    if !first.isUpgrade { expected.removeAll { isField("upgrade", $0) } }
    // With a length that was not said in a field there is nothing more to compare.
    try requireEqual(
      lasting(second.fields, but: ["scheme"]), lasting(expected, but: ["scheme"]), "fields")
    try requireEqual(write(once, second, flags), once, "written twice")
  }

  private func write(
    _ message: [UInt8], _ parsed: Outcome.Request, _ flags: HTTP1Writer.RequestOptions
  ) -> [UInt8] {
    withExactCopy(message) { view in
      var table = FieldTable(capacity: 128)
      defer { table.deallocate() }
      var head = RequestHead()
      _ = HTTP1RequestParser.parse(
        view, limits: reader.limits, options: reader.options, table: &table, into: &head)
      return withArena { arena in
        let copy = arena.pointee.allocate(parsed.length)
        copy.update(from: view.base, count: parsed.length)
        var map = HeaderMap(arena: arena)
        HTTP1RequestParser.build(head, copied: copy, table: table, keepUpgrade: true, into: &map)
        return writing(room: HTTP1Writer.requestHeadSize(map, options: flags)) {
          HTTP1Writer.writeRequestHead(map, framing: head.framing, options: flags, to: $0)
        }
      }
    }
  }
}

private struct WrittenResponse {
  var options: UInt8
  private let method: RequestMethod
  private let reader: HeadParser

  init(options: UInt8, method: RequestMethod) {
    self.options = options
    self.method = method
    reader = HeadParser(keepUpgrade: true, responseTo: method)
  }

  func check(_ message: [UInt8]) throws(Violation) {
    guard let first = reader.parse(message).response else { return }
    var flags = HTTP1Writer.ResponseOptions(rawValue: options & 13)
    if first.status == 101 { flags.insert(.upgrade) }
    let once = write(message, first, flags)
    guard let second = reader.parse(once).response else {
      throw Violation(
        description: "written \(String(decoding: once, as: UTF8.self)): \(reader.parse(once))")
    }
    try requireEqual(second.length, once.count, "length")
    try requireEqual(second.status, first.status, "status")
    try requireEqual(second.framing, first.framing, "framing")
    try requireEqual(second.isTunnel, first.isTunnel, "tunnel")
    var expected = first.fields
    if first.status != 101 { expected.removeAll { isField("upgrade", $0) } }
    try requireEqual(second.fields, expected, "fields")
    try requireEqual(write(once, second, flags), once, "written twice")
  }

  private func write(
    _ message: [UInt8], _ parsed: Outcome.Response, _ flags: HTTP1Writer.ResponseOptions
  ) -> [UInt8] {
    withExactCopy(message) { view in
      var table = FieldTable(capacity: 128)
      defer { table.deallocate() }
      var head = ResponseHead()
      _ = HTTP1ResponseParser.parse(
        view, method: method, limits: reader.limits, table: &table, into: &head)
      return withArena { arena in
        let copy = arena.pointee.allocate(parsed.length)
        copy.update(from: view.base, count: parsed.length)
        var map = HeaderMap(arena: arena)
        HTTP1ResponseParser.build(head, copied: copy, table: table, keepUpgrade: true, into: &map)
        return writing(room: HTTP1Writer.responseHeadSize(map)) {
          HTTP1Writer.writeResponseHead(
            map, status: head.status, framing: head.framing, options: flags, to: $0)
        }
      }
    }
  }
}
