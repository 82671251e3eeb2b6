import HTTP1
import HTTPCore
import Primitives

let responseHeadCases: [MicroCase] = [
  MicroCase("response-head") { parsing() },
  MicroCase("response-head-write") { writing() },
]

private func parsing() -> (Int) -> UInt64 {
  let lines = responseFields.dropFirst().map { "\($0.0): \($0.1)\r\n" }.joined()
  let bytes = lasting("HTTP/1.1 200 OK\r\n\(lines)\r\n")
  let arena = lastingArena()
  return { count in
    var table = FieldTable(capacity: 128)
    defer { table.deallocate() }
    var head = ResponseHead()
    var digest = Digest()
    for _ in 0..<count {
      let outcome = HTTP1ResponseParser.parse(
        bytes, method: .get, limits: HTTP1Limits(), table: &table, into: &head)
      precondition(outcome == .complete(length: bytes.count), "the head is whole")
      let copy = arena.pointee.copy(bytes)
      var map = HeaderMap(arena: arena)
      HTTP1ResponseParser.build(
        head, copied: UnsafeMutablePointer(mutating: copy.base), table: table, keepUpgrade: false,
        into: &map)
      digest.add(map.slotCount)
      digest.add(UInt64(head.status))
      arena.pointee.reset()
    }
    return digest.value
  }
}

private func writing() -> (Int) -> UInt64 {
  let map = lastingMap(responseFields)
  let room = HTTP1Writer.responseHeadSize(map.pointee)
  let target = UnsafeMutablePointer<UInt8>.allocate(capacity: room)
  return { count in
    var digest = Digest()
    for _ in 0..<count {
      digest.add(HTTP1Writer.responseHeadSize(map.pointee))
      let written = HTTP1Writer.writeResponseHead(
        map.pointee, status: 200, framing: .length(1024), options: [], to: target)
      digest.add(written)
      digest.add(UInt64(target[written - 5]))
    }
    return digest.value
  }
}
