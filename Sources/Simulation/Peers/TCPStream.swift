/// One direction of a proxied TCP connection: a key and a length, then that many bytes of the key's pattern.
struct TCPStream {
  static let headerBytes = 16
  let key: UInt64
  let count: Int

  var bytes: [UInt8] {
    var header: [UInt8] = []
    for shift in stride(from: 56, through: 0, by: -8) { header.append(UInt8(key >> UInt64(shift) & 255)) }
    for shift in stride(from: 56, through: 0, by: -8) {
      header.append(UInt8(UInt64(count) >> UInt64(shift) & 255))
    }
    return header + Pattern.bytes(key, count: count)
  }
}

/// Checks such a stream as it comes.
struct TCPStreamReader {
  private var header: [UInt8] = []
  private(set) var received = 0
  private(set) var stream: TCPStream?
  private(set) var isWrong = false
  private(set) var difference = ""

  mutating func feed(_ bytes: [UInt8]) {
    var rest = bytes[...]
    if stream == nil {
      let part = rest.prefix(TCPStream.headerBytes - header.count)
      header += part
      rest = rest.dropFirst(part.count)
      guard header.count == TCPStream.headerBytes else { return }
      func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
      let count = number(header[8...])
      guard count < 1 << 40 else {
        isWrong = true
        return
      }
      stream = TCPStream(key: number(header[..<8]), count: Int(count))
    }
    guard let stream, !rest.isEmpty else { return }
    if !Pattern.matches(rest, stream.key, from: received) {
      isWrong = true
      difference = Pattern.difference(rest, stream.key, from: received)
    }
    received += rest.count
    if received > stream.count { isWrong = true }
  }

  var isComplete: Bool { stream.map { received == $0.count } ?? false }
}
