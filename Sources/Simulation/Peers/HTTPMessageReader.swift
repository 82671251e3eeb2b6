/// Takes messages off a connection, byte by byte correct and nothing else: a reader of its own, so that
/// a mistake of the proxy's codec is not made twice.
final class HTTPMessageReader {
  enum Framing: Equatable { case none, length(Int), chunked, untilClose }

  private enum State: Equatable {
    case head, length(Int), chunkSize, chunk(Int), chunkEnd, trailers, untilClose, broken
  }

  private var state = State.head
  private var buffer: [UInt8] = []
  private var at = 0
  private var trailers: Fields = []

  /// Says how the body is framed.
  var onHead: (MessageHead) -> Framing = { _ in .none }
  var onBody: (ArraySlice<UInt8>) -> Void = { _ in }
  var onMessageEnd: (Fields) -> Void = { _ in }
  var onError: (String) -> Void = { _ in }

  /// Between two messages, with nothing of the next.
  var isBetweenMessages: Bool { state == .head && at == buffer.count }
  var isReadingUntilClose: Bool { state == .untilClose }

  func feed(_ bytes: [UInt8]) {
    if at == buffer.count {
      buffer = bytes
      at = 0
    } else {
      buffer.append(contentsOf: bytes)
    }
    while step() {}
  }

  /// The peer has ended its direction. True when a message ends by that, or none was going on.
  func feedEnd() -> Bool {
    if state == .untilClose {
      state = .head
      onMessageEnd([])
      return true
    }
    return isBetweenMessages
  }

  private func fail(_ text: String) -> Bool {
    state = .broken
    onError(text)
    return false
  }

  /// Makes one step; false when more bytes are needed.
  private func step() -> Bool {
    switch state {
    case .broken: return false
    case .head: return readHead()
    case .length(let left):
      let part = min(left, buffer.count - at)
      guard part > 0 else { return false }
      pass(part)
      if part == left { end() } else { state = .length(left - part) }
      return true
    case .untilClose:
      guard at < buffer.count else { return false }
      pass(buffer.count - at)
      return true
    case .chunkSize:
      guard let line = readLine() else { return false }
      guard let size = Int(line, radix: 16), size >= 0 else { return fail("chunk size \"\(line)\"") }
      state = size == 0 ? .trailers : .chunk(size)
      return true
    case .chunk(let left):
      let part = min(left, buffer.count - at)
      guard part > 0 else { return false }
      pass(part)
      state = part == left ? .chunkEnd : .chunk(left - part)
      return true
    case .chunkEnd:
      guard let line = readLine() else { return false }
      guard line.isEmpty else { return fail("\"\(line)\" after a chunk") }
      state = .chunkSize
      return true
    case .trailers:
      guard let line = readLine() else { return false }
      if line.isEmpty { end() } else { trailers.append(Self.field(line)) }
      return true
    }
  }

  private func pass(_ count: Int) {
    let part = buffer[at..<at + count]
    at += count
    onBody(part)
  }

  private func end() {
    state = .head
    let found = trailers
    trailers = []
    onMessageEnd(found)
  }

  private func readHead() -> Bool {
    guard at < buffer.count else { return false }
    guard let length = headLength() else {
      if buffer.count - at > 200_000 { return fail("a head without end") }
      return false
    }
    let text = String(decoding: buffer[at..<at + length], as: UTF8.self)
    at += length
    var lines = text.split(separator: "\r\n", omittingEmptySubsequences: true)
    guard !lines.isEmpty else { return fail("an empty head") }
    let head = MessageHead(startLine: String(lines.removeFirst()), headers: lines.map { Self.field(String($0)) })
    switch onHead(head) {
    case .none, .length(0): if state != .broken { end() }
    case .length(let count): state = .length(count)
    case .chunked: state = .chunkSize
    case .untilClose: state = .untilClose
    }
    return state != .broken
  }

  private func headLength() -> Int? {
    var i = at
    let last = buffer.count - 4
    while i <= last {
      if buffer[i + 3] == 10 {
        if buffer[i] == 13, buffer[i + 1] == 10, buffer[i + 2] == 13 { return i + 4 - at }
        i += 1
      } else {
        // Neither of the end's bytes: no end can include it.
        i += buffer[i + 3] == 13 ? 1 : 4
      }
    }
    return nil
  }

  private func readLine() -> String? {
    var i = at
    while i + 1 < buffer.count {
      if buffer[i] == 13, buffer[i + 1] == 10 {
        let line = String(decoding: buffer[at..<i], as: UTF8.self)
        at = i + 2
        return line
      }
      i += 1
    }
    return nil
  }

  private static func field(_ line: String) -> (name: String, value: String) {
    guard let colon = line.firstIndex(of: ":") else { return (line, "") }
    let value = line[line.index(after: colon)...].drop { $0 == " " }
    return (line[..<colon].lowercased(), String(value))
  }
}
