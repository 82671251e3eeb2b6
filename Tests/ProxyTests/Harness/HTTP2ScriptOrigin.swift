import Foundation
import Synchronization

/// A host that speaks just enough HTTP/2 for a test: it reads frames and answers each with what its script says.
final class HTTP2ScriptOrigin: Sendable {
  struct Frame: Sendable {
    var type: UInt8
    var flags: UInt8 = 0
    var stream: UInt32 = 0
    var payload: [UInt8] = []

    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let goAway: UInt8 = 7
    static let endStream: UInt8 = 1
    static let endHeaders: UInt8 = 4

    /// `:status: 200`, and fields as literals without indexing.
    static func head(_ stream: UInt32, ends: Bool = false, fields: [(String, String)] = []) -> Frame {
      trailers(stream, ends: ends, fields: fields, before: [0x88])
    }

    static func trailers(
      _ stream: UInt32, ends: Bool = true, fields: [(String, String)], before: [UInt8] = []
    ) -> Frame {
      var block = before
      for (name, value) in fields {
        block += [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
      }
      return Frame(type: headers, flags: endHeaders | (ends ? endStream : 0), stream: stream, payload: block)
    }

    static func body(_ stream: UInt32, _ text: String, ends: Bool = true) -> Frame {
      Frame(type: data, flags: ends ? endStream : 0, stream: stream, payload: Array(text.utf8))
    }

    static func reset(_ stream: UInt32, _ code: UInt8) -> Frame {
      Frame(type: reset, stream: stream, payload: [0, 0, 0, code])
    }

    var endsStream: Bool { flags & Self.endStream != 0 }

    var bytes: [UInt8] {
      let count = payload.count
      return [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags]
        + (0..<4).map { UInt8(stream >> (24 - 8 * UInt32($0)) & 255) } + payload
    }
  }

  /// What to answer a frame of a request with.
  typealias Script = @Sendable (Frame) -> [Frame]

  private let received = Mutex<[Frame]>([])
  private let script: Script

  init(_ script: @escaping Script) { self.script = script }

  /// Frames that belong to requests, in order.
  var frames: [Frame] { received.withLock { $0 } }

  /// Serves one connection to its end.
  func serve(_ socket: BlockingSocket) throws {
    _ = try socket.read(count: 24)
    try socket.send(Frame(type: Frame.settings).bytes)
    while let frame = try? read(socket) {
      if frame.type == Frame.settings, frame.flags == 0 {
        try socket.send(Frame(type: Frame.settings, flags: 1).bytes)
      }
      guard frame.stream > 0, frame.type == Frame.data || frame.type == Frame.headers || frame.type == Frame.reset
      else { continue }
      received.withLock { $0.append(frame) }
      for answer in script(frame) { try socket.send(answer.bytes) }
    }
  }

  private func read(_ socket: BlockingSocket) throws -> Frame {
    let head = try socket.read(count: 9)
    let count = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
    let stream = head[5...8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
    return Frame(type: head[3], flags: head[4], stream: stream, payload: try socket.read(count: count))
  }
}
