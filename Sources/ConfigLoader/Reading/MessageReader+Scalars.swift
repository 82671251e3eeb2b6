import Foundation

extension MessageReader {
  /// Reads a scalar as protobuf's JSON mapping does; plain YAML words stand for JSON's.
  mutating func readScalar(_ type: ScalarType, from node: YAMLNode) -> Value {
    guard case .scalar(let text, let isPlain) = node.kind, !node.isNull else {
      error(node.location, "expected \(type.described), got \(node.described)")
      return .invalid
    }
    switch type {
    case .bool:
      // In quotes only JSON's own words count.
      if let bool = ScalarText.bool(text), isPlain || text == "true" || text == "false" {
        return .bool(bool)
      }
    case .int32: return readInteger(text, Int64(Int32.min)...Int64(Int32.max), node)
    case .int64: return readInteger(text, Int64.min...Int64.max, node)
    case .uint32: return readUnsigned(text, max: UInt64(UInt32.max), node)
    case .uint64: return readUnsigned(text, max: .max, node)
    case .double, .float:
      if let number = ScalarText.double(text) {
        guard type != .float || !number.isFinite || Float(number).isFinite else {
          error(node.location, "\(quotable(text)) does not fit a 32-bit float")
          return .invalid
        }
        return .double(number)
      }
    case .string:
      // Anything but a string here is a slip: `name: 10` in JSON would be a number too.
      if case .string = YAMLNode.guess(text, isPlain: isPlain) { return .string(text) }
      error(
        node.location, "expected a string, got \(node.described); put it in quotes")
      return .invalid
    case .bytes:
      if let bytes = Self.base64(text) { return .bytes(bytes) }
    }
    error(node.location, "expected \(type.described), got \(node.described)")
    return .invalid
  }

  private mutating func readInteger(
    _ text: String, _ range: ClosedRange<Int64>, _ node: YAMLNode
  ) -> Value {
    guard let integer = wholeNumber(text, node) else { return .invalid }
    if case .value(let magnitude, let isNegative) = integer {
      let exact = isNegative ? negated(magnitude) : Int64(exactly: magnitude)
      if let exact, range.contains(exact) { return .signed(exact) }
    }
    return outOfRange(text, "\(range.lowerBound)", "\(range.upperBound)", node)
  }

  private func negated(_ magnitude: UInt64) -> Int64? {
    magnitude <= UInt64(Int64.max) + 1 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil
  }

  private mutating func readUnsigned(_ text: String, max: UInt64, _ node: YAMLNode) -> Value {
    guard let integer = wholeNumber(text, node) else { return .invalid }
    if case .value(let magnitude, let isNegative) = integer, magnitude <= max,
      !isNegative || magnitude == 0
    {
      return .unsigned(magnitude)
    }
    return outOfRange(text, "0", "\(max)", node)
  }

  private mutating func outOfRange(
    _ text: String, _ low: String, _ high: String, _ node: YAMLNode
  ) -> Value {
    error(node.location, "\(quotable(text)) is out of range: expected \(low) to \(high)")
    return .invalid
  }

  /// The integer that `text` writes, as `80`, `8e1` or `80.0`; reported when it writes none.
  private mutating func wholeNumber(_ text: String, _ node: YAMLNode) -> ScalarText.Integer? {
    if let integer = ScalarText.integer(text) { return integer }
    guard let number = ScalarText.double(text) else {
      error(node.location, "expected a number, got \(node.described)")
      return nil
    }
    guard let magnitude = UInt64(exactly: number.magnitude) else {
      guard number.rounded() == number else {
        error(node.location, "expected a whole number, got \(quotable(text))")
        return nil
      }
      return .tooLarge
    }
    return .value(magnitude: magnitude, isNegative: number < 0)
  }

  mutating func readEnumeration(_ type: EnumType, from node: YAMLNode) -> Value {
    guard case .scalar(let text, _) = node.kind, !node.isNull else {
      error(
        node.location,
        "expected one of \(alternatives(type.values.map(\.name))), got \(node.described)")
      return .invalid
    }
    // Envoy takes any letter case, and numbers.
    var found = type.numbers[text] ?? type.numbersByUppercasedName[text.uppercased()]
    if found == nil, let number = Int32(text), type.names[number] != nil { found = number }
    guard let found else {
      let names = type.values.map(\.name)
      let hint = Suggestion.phrase(for: text, among: names)
      error(
        node.location,
        "unknown value \(quoted(text))"
          + (hint.isEmpty ? ": expected \(alternatives(names))" : hint))
      return .invalid
    }
    if type.deprecatedNumbers.contains(found) {
      diagnostics.warning(
        node.location, path.text, "the value \(quoted(text)) is deprecated")
    }
    return .enumeration(found)
  }

  /// Standard or URL-safe alphabet, with or without padding.
  private static func base64(_ text: String) -> [UInt8]? {
    var standard = text.replacing("-", with: "+").replacing("_", with: "/")
    while standard.utf8.count % 4 != 0 { standard += "=" }
    return Data(base64Encoded: standard).map { Array($0) }
  }
}

extension ScalarType {
  /// How an error names what was expected.
  fileprivate var described: String {
    switch self {
    case .bool: "true or false"
    case .int32, .int64, .uint32, .uint64, .float, .double: "a number"
    case .string: "a string"
    case .bytes: "base64 text"
    }
  }
}
