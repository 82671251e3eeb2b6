/// Writes a checked tree in protobuf's wire format (protobuf.dev, "Encoding").
enum WireEncoder {
  static func encode(_ message: MessageNode) -> [UInt8] {
    var bytes: [UInt8] = []
    for node in message.fields {
      let field = message.type.fields[node.index]
      switch node.content {
      case .invalid: break
      case .single(let value): append(value.value, number: field.number, field.kind, &bytes)
      case .list(let elements):
        // Unpacked elements are valid for every repeated field.
        for element in elements {
          append(element.value, number: field.number, field.kind, &bytes)
        }
      case .map(let entries):
        for entry in entries {
          var pair: [UInt8] = []
          append(.string(entry.key), number: 1, .scalar(.string), &pair)
          append(entry.value.value, number: 2, field.kind, &pair)
          append(pair, number: field.number, to: &bytes)
        }
      }
    }
    return bytes
  }

  private static func append(
    _ value: Value, number: Int, _ kind: FieldType.Kind, _ bytes: inout [UInt8]
  ) {
    switch value {
    case .bool(let bool): appendVarint(bool ? 1 : 0, number, &bytes)
    case .signed(let integer): appendVarint(UInt64(bitPattern: integer), number, &bytes)
    case .unsigned(let integer): appendVarint(integer, number, &bytes)
    case .enumeration(let integer):
      appendVarint(UInt64(bitPattern: Int64(integer)), number, &bytes)
    case .double(let double):
      if case .scalar(.float) = kind {
        appendTag(number, wireType: 5, &bytes)
        appendLittleEndian(Float(double).bitPattern, &bytes)
      } else {
        appendTag(number, wireType: 1, &bytes)
        appendLittleEndian(double.bitPattern, &bytes)
      }
    case .string(let string): append(Array(string.utf8), number: number, to: &bytes)
    case .bytes(let payload): append(payload, number: number, to: &bytes)
    case .message(let message):
      // A message in a `bytes` field is what an `Any` holds: the bytes are the same.
      append(encode(message), number: number, to: &bytes)
    case .invalid: break
    }
  }

  private static func append(_ payload: [UInt8], number: Int, to bytes: inout [UInt8]) {
    appendTag(number, wireType: 2, &bytes)
    appendVarint(UInt64(payload.count), &bytes)
    bytes += payload
  }

  private static func appendVarint(_ value: UInt64, _ number: Int, _ bytes: inout [UInt8]) {
    appendTag(number, wireType: 0, &bytes)
    appendVarint(value, &bytes)
  }

  private static func appendTag(_ number: Int, wireType: UInt64, _ bytes: inout [UInt8]) {
    appendVarint(UInt64(number) << 3 | wireType, &bytes)
  }

  private static func appendVarint(_ value: UInt64, _ bytes: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  private static func appendLittleEndian(
    _ value: some FixedWidthInteger, _ bytes: inout [UInt8]
  ) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
