import HTTPHarness

/// Frames as bytes, written without the code that is tested (RFC 9113 sections 4 and 6).
package enum Wire {
  package static let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".wire

  package static func frame(
    _ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []
  ) -> [UInt8] {
    let length = payload.count
    return [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
      + big(stream) + payload
  }

  package static func big(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
  }

  /// - Parameter padding: Bytes of padding behind the data; nil = the frame is not padded.
  package static func data(
    _ stream: UInt32, _ bytes: [UInt8], ends: Bool = false, padding: Int? = nil
  ) -> [UInt8] {
    var payload = bytes
    if let padding { payload = [UInt8(padding)] + bytes + Array(repeating: 0, count: padding) }
    return frame(0, flags: (ends ? 1 : 0) | (padding == nil ? 0 : 8), stream: stream, payload)
  }

  package static func headers(
    _ stream: UInt32, _ block: [UInt8], ends: Bool = false, isWhole: Bool = true
  ) -> [UInt8] {
    frame(1, flags: (ends ? 1 : 0) | (isWhole ? 4 : 0), stream: stream, block)
  }

  package static func continuation(
    _ stream: UInt32, _ block: [UInt8], isWhole: Bool = true
  ) -> [UInt8] {
    frame(9, flags: isWhole ? 4 : 0, stream: stream, block)
  }

  package static func settings(_ values: [(UInt16, UInt32)] = []) -> [UInt8] {
    frame(4, values.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + big($0.1) })
  }

  package static let settingsAck = frame(4, flags: 1)

  package static func reset(_ stream: UInt32, _ code: UInt32 = 8) -> [UInt8] {
    frame(3, stream: stream, big(code))
  }

  package static func ping(_ byte: UInt8 = 0, isAnswer: Bool = false) -> [UInt8] {
    frame(6, flags: isAnswer ? 1 : 0, Array(repeating: byte, count: 8))
  }

  package static func goAway(last: UInt32, _ code: UInt32 = 0, _ debug: String = "") -> [UInt8] {
    frame(7, big(last) + big(code) + debug.wire)
  }

  package static func windowUpdate(_ stream: UInt32, _ count: UInt32) -> [UInt8] {
    frame(8, stream: stream, big(count))
  }

  package static func priority(_ stream: UInt32, on parent: UInt32 = 0) -> [UInt8] {
    frame(2, stream: stream, big(parent) + [16])
  }

  /// Preface and SETTINGS of a client.
  package static let clientStart = preface + settings()
}
