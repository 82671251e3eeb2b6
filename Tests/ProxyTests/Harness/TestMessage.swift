/// A request or response as it came off the wire.
struct TestMessage: Sendable, CustomStringConvertible {
  var startLine: String
  var headers: [(name: String, value: String)]
  var body: [UInt8]
  var trailers: [(name: String, value: String)] = []
  var isChunked = false

  var text: String { String(decoding: body, as: UTF8.self) }
  var status: Int { startLine.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0 }
  var description: String {
    startLine + "|" + headers.map { "\($0.name): \($0.value)" }.joined(separator: "|") + "||" + text
  }

  subscript(name: String) -> String? { headers.first { $0.name == name }?.value }

  func values(_ name: String) -> [String] { headers.filter { $0.name == name }.map(\.value) }
}

extension BlockingSocket {
  /// Reads one message; nil when the peer has closed instead.
  ///
  /// - Parameter hasBody: False for the answer to HEAD.
  func readMessage(hasBody: Bool = true) throws -> TestMessage? {
    if buffered.isEmpty, try !receive() { return nil }
    var message = try readHead()
    if message.startLine.hasPrefix("HTTP/1.1 1") { return message }
    if !hasBody { return message }
    if message["transfer-encoding"] == "chunked" {
      message.isChunked = true
      try readChunks(into: &message)
    } else if let length = message["content-length"].flatMap({ Int($0) }) {
      message.body = try read(count: length)
    } else if message.startLine.hasPrefix("HTTP/"), message.status != 204, message.status != 304 {
      message.body = try readToEnd()
    }
    return message
  }

  func readHead() throws -> TestMessage {
    let head = try read(through: "\r\n\r\n")
    var lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
    let start = String(lines.removeFirst())
    return TestMessage(startLine: start, headers: lines.map(Self.field), body: [])
  }

  private func readChunks(into message: inout TestMessage) throws {
    while true {
      let line = String(decoding: try read(through: "\r\n").dropLast(2), as: UTF8.self)
      guard let count = Int(line, radix: 16) else { throw Failure(description: "chunk \(line)") }
      if count == 0 { break }
      message.body += try read(count: count)
      guard try read(count: 2) == [13, 10] else { throw Failure(description: "chunk end") }
    }
    while true {
      let line = String(decoding: try read(through: "\r\n").dropLast(2), as: UTF8.self)
      if line.isEmpty { return }
      message.trailers.append(Self.field(line[...]))
    }
  }

  private static func field(_ line: Substring) -> (name: String, value: String) {
    let parts = line.split(separator: ":", maxSplits: 1)
    guard parts.count == 2 else { return (String(line), "") }
    return (parts[0].lowercased(), String(parts[1].drop { $0 == " " }))
  }
}
