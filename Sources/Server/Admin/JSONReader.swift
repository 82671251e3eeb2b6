/// Reads the JSON that our own messages print (RFC 8259) into a tree.
struct JSONReader {
  struct Failure: Error {}

  private let bytes: [UInt8]
  private var index = 0
  private static let depthMax = 200

  static func read(_ text: String) -> JSONValue? {
    var reader = JSONReader(bytes: Array(text.utf8))
    return try? reader.value(depth: 0)
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func value(depth: Int) throws(Failure) -> JSONValue {
    guard depth < Self.depthMax else { throw Failure() }
    skipSpace()
    switch peek {
    case UInt8(ascii: "{"):
      var fields: [JSONValue.Field] = []
      try list(until: UInt8(ascii: "}")) { reader throws(Failure) in
        reader.skipSpace()
        let name = try reader.string()
        reader.skipSpace()
        try reader.take(UInt8(ascii: ":"))
        fields.append(JSONValue.Field(name, try reader.value(depth: depth + 1)))
      }
      return .object(fields)
    case UInt8(ascii: "["):
      var elements: [JSONValue] = []
      try list(until: UInt8(ascii: "]")) { reader throws(Failure) in
        elements.append(try reader.value(depth: depth + 1))
      }
      return .array(elements)
    case UInt8(ascii: "\""): return .string(try string())
    default: return try word()
    }
  }

  private mutating func list(
    until end: UInt8, _ element: (inout JSONReader) throws(Failure) -> Void
  ) throws(Failure) {
    index += 1
    skipSpace()
    if peek == end {
      index += 1
      return
    }
    while true {
      try element(&self)
      skipSpace()
      if peek == end {
        index += 1
        return
      }
      try take(UInt8(ascii: ","))
    }
  }

  private mutating func word() throws(Failure) -> JSONValue {
    let start = index
    while let byte = peek, !Self.endsWord(byte) { index += 1 }
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    switch text {
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "null": return .null
    case "": throw Failure()
    default: return .number(text)
    }
  }

  private static func endsWord(_ byte: UInt8) -> Bool {
    byte <= 0x20 || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]")
      || byte == UInt8(ascii: "}")
  }

  private mutating func string() throws(Failure) -> String {
    try take(UInt8(ascii: "\""))
    var result: [UInt8] = []
    while let byte = peek {
      index += 1
      if byte == UInt8(ascii: "\"") { return String(decoding: result, as: UTF8.self) }
      guard byte == UInt8(ascii: "\\") else {
        result.append(byte)
        continue
      }
      guard let escaped = peek else { throw Failure() }
      index += 1
      switch escaped {
      case UInt8(ascii: "n"): result.append(0x0A)
      case UInt8(ascii: "r"): result.append(0x0D)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "b"): result.append(0x08)
      case UInt8(ascii: "f"): result.append(0x0C)
      case UInt8(ascii: "u"): result += String(try escapedScalar()).utf8
      default: result.append(escaped)
      }
    }
    throw Failure()
  }

  /// Behind `\u`; a surrogate pair is two of them.
  private mutating func escapedScalar() throws(Failure) -> Character {
    let first = try fourDigits()
    if let scalar = Unicode.Scalar(first) { return Character(scalar) }
    guard (0xD800..<0xDC00).contains(first) else { throw Failure() }
    try take(UInt8(ascii: "\\"))
    try take(UInt8(ascii: "u"))
    let second = try fourDigits()
    guard (0xDC00..<0xE000).contains(second),
      let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    else { throw Failure() }
    return Character(scalar)
  }

  private mutating func fourDigits() throws(Failure) -> UInt32 {
    guard index + 4 <= bytes.count,
      let value = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
    else { throw Failure() }
    index += 4
    return value
  }

  private var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func skipSpace() {
    while let byte = peek, byte <= 0x20 { index += 1 }
  }

  private mutating func take(_ byte: UInt8) throws(Failure) {
    guard peek == byte else { throw Failure() }
    index += 1
  }
}
