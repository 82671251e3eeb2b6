/// Reads what a session sent, one line for each frame.
package struct FrameReader {
  private let decoder = HeaderDecoder()
  private var block: [UInt8] = []
  private var blockName = ""
  private var pending: [UInt8] = []
  /// The largest header block fragment and its frames count as one line.
  package private(set) var lines: [String] = []
  /// Bytes of DATA of each stream.
  package private(set) var bodies: [UInt32: [UInt8]] = [:]
  private let expectsPreface: Bool
  private var sawPreface = false

  /// - Parameter expectsPreface: The bytes are a client's.
  package init(expectsPreface: Bool) { self.expectsPreface = expectsPreface }

  package mutating func read(_ bytes: some Sequence<UInt8>) {
    pending += bytes
    if expectsPreface, !sawPreface {
      guard pending.count >= 24 else { return }
      precondition(pending.starts(with: Wire.preface))
      pending.removeFirst(24)
      sawPreface = true
    }
    while pending.count >= 9 {
      let length = Int(pending[0]) << 16 | Int(pending[1]) << 8 | Int(pending[2])
      guard pending.count >= 9 + length else { return }
      let payload = Array(pending[9..<9 + length])
      frame(pending[3], pending[4], word(pending, 5) & 0x7FFF_FFFF, payload)
      pending.removeFirst(9 + length)
    }
  }

  package var hasPartialFrame: Bool { !pending.isEmpty }

  private func word(_ bytes: [UInt8], _ at: Int) -> UInt32 {
    bytes[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }

  private mutating func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) {
    precondition(payload.count <= 16_384)
    let end = flags & 1 != 0 ? " END" : ""
    switch type {
    case 0:
      bodies[stream, default: []] += payload
      lines.append("\(stream) DATA \(payload.count)\(end)")
    case 1, 9:
      if type == 1 {
        block = payload
        blockName = "\(stream) HEADERS\(end)"
      } else {
        block += payload
      }
      if flags & 4 == 0 { return }
      let fields = decoder.decode(block)?.joined(separator: ", ") ?? "broken"
      lines.append("\(blockName) [\(fields)]")
    case 3: lines.append("\(stream) RST \(word(payload, 0))")
    case 4:
      if flags & 1 != 0 {
        lines.append("SETTINGS ACK")
        return
      }
      let values = stride(from: 0, to: payload.count, by: 6).map { at in
        "\(Int(payload[at]) << 8 | Int(payload[at + 1]))=\(word(payload, at + 2))"
      }
      lines.append("SETTINGS [\(values.joined(separator: " "))]")
    case 6:
      lines.append("PING\(flags & 1 != 0 ? " ACK" : "") \(word(payload, 0)) \(word(payload, 4))")
    case 7:
      let debug = String(decoding: payload[8...], as: UTF8.self)
      let last = word(payload, 0)
      lines.append("GOAWAY \(last) \(word(payload, 4))\(debug.isEmpty ? "" : " \(debug)")")
    case 8: lines.append("\(stream) WINDOW +\(word(payload, 0))")
    default: lines.append("\(stream) type \(type) \(payload.count)")
    }
  }
}
