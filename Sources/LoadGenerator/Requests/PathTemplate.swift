import LoadBase

/// Text with places that are filled in anew for each request: `{n}`, `{rand:1-1000}`, `{uuid}`.
/// `{{` and `}}` stand for the braces themselves.
struct PathTemplate: Equatable, Sendable {
  enum Piece: Equatable, Sendable {
    case literal([UInt8])
    /// 0, 1, 2 ... over the whole run.
    case sequence
    /// A whole number, both ends included.
    case random(UInt32, UInt32)
    /// A random UUID (RFC 9562 version 4).
    case uuid
  }

  let pieces: [Piece]

  var isFixed: Bool {
    pieces.allSatisfy { if case .literal = $0 { true } else { false } }
  }

  init(_ text: String) throws(UsageError) {
    var pieces: [Piece] = []
    var literal: [UInt8] = []
    let bytes = Array(text.utf8)
    var at = 0
    while at < bytes.count {
      let byte = bytes[at]
      if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}") {
        if at + 1 < bytes.count, bytes[at + 1] == byte {
          literal.append(byte)
          at += 2
          continue
        }
        guard byte == UInt8(ascii: "{"), let end = bytes[at...].firstIndex(of: UInt8(ascii: "}"))
        else {
          throw UsageError(
            "\(text): a brace without its partner (write {{ or }} for a brace itself)")
        }
        if !literal.isEmpty { pieces.append(.literal(literal)) }
        literal = []
        pieces.append(try Self.place(String(decoding: bytes[(at + 1)..<end], as: UTF8.self)))
        at = end + 1
        continue
      }
      guard byte > 32, byte < 127 else {
        throw UsageError("\(text): a space, control character or non-ASCII byte; write it as %XX")
      }
      literal.append(byte)
      at += 1
    }
    if !literal.isEmpty { pieces.append(.literal(literal)) }
    self.pieces = pieces
  }

  private static func place(_ name: String) throws(UsageError) -> Piece {
    if name == "n" { return .sequence }
    if name == "uuid" { return .uuid }
    if name.hasPrefix("rand:") {
      let (low, high) = Quantity.range(String(name.dropFirst(5)))
      if let from = UInt32(low), let to = UInt32(high), from <= to, to < .max {
        return .random(from, to)
      }
      throw UsageError("{\(name)}: expected two numbers, the smaller first, like {rand:1-1000}")
    }
    throw UsageError("{\(name)}: unknown; known are {n}, {rand:1-1000} and {uuid}")
  }
}
