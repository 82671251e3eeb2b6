import ConfigSchema

/// What the rules say about one value.
enum ValueRules {
  static func violations(
    of value: Value, _ rules: Apus_V1_FieldRules, _ patterns: inout PatternCache
  ) -> [String] {
    switch value {
    case .bool(let bool): return rules.mustBeTrue && !bool ? ["must be true when it is set"] : []
    case .signed(let integer): return bounds(Double(integer), "", rules)
    case .unsigned(let integer): return bounds(Double(integer), "", rules)
    case .double(let number): return bounds(number, "", rules)
    case .bytes(let bytes): return length(bytes.count, rules)
    case .string(let text): return string(text, rules, &patterns)
    case .enumeration(let number):
      return rules.notIn.contains(number) ? ["this value is not allowed here"] : []
    case .message(let message): return wellKnown(message, rules, &patterns)
    case .invalid: return []
    }
  }

  private static func wellKnown(
    _ message: MessageNode, _ rules: Apus_V1_FieldRules, _ patterns: inout PatternCache
  ) -> [String] {
    switch message.type.wellKnown {
    case .wrapper:
      guard case .single(let held)? = message[index: 0]?.content else { return [] }
      return violations(of: held.value, rules, &patterns)
    case .duration:
      var parts: [Double] = []
      for index in 0...1 {
        guard case .single(let node)? = message[index: index]?.content,
          case .signed(let part) = node.value
        else { return [] }
        parts.append(Double(part))
      }
      return bounds(parts[0] + parts[1] / 1e9, "s", rules)
    default: return []
    }
  }

  private static func bounds(
    _ value: Double, _ unit: String, _ rules: Apus_V1_FieldRules
  ) -> [String] {
    var found: [String] = []
    // Written so that NaN passes no bound.
    if rules.hasGt, !(value > rules.gt) { found.append("greater than \(shown(rules.gt))\(unit)") }
    if rules.hasGte, !(value >= rules.gte) { found.append("at least \(shown(rules.gte))\(unit)") }
    if rules.hasLt, !(value < rules.lt) { found.append("less than \(shown(rules.lt))\(unit)") }
    if rules.hasLte, !(value <= rules.lte) { found.append("at most \(shown(rules.lte))\(unit)") }
    return found.map { "must be \($0), got \(shown(value))\(unit)" }
  }

  private static func shown(_ number: Double) -> String {
    Int64(exactly: number).map { "\($0)" } ?? "\(number)"
  }

  private static func length(_ count: Int, _ rules: Apus_V1_FieldRules) -> [String] {
    if rules.hasMinLen, UInt64(count) < rules.minLen {
      return [
        count == 0
          ? "must not be empty"
          : "must have at least \(plural(rules.minLen, "byte")), got \(count)"
      ]
    }
    if rules.hasMaxLen, UInt64(count) > rules.maxLen {
      return ["must have at most \(plural(rules.maxLen, "byte")), got \(count)"]
    }
    return []
  }

  private static func string(
    _ text: String, _ rules: Apus_V1_FieldRules, _ patterns: inout PatternCache
  ) -> [String] {
    if text.isEmpty, rules.ignoreEmpty { return [] }
    var found = length(text.utf8.count, rules)
    if !rules.in.isEmpty, !rules.in.contains(text) {
      let hint = Suggestion.phrase(for: text, among: rules.in)
      found.append(
        "unknown value \(quoted(text))"
          + (hint.isEmpty ? ": expected \(alternatives(rules.in))" : hint))
    }
    if !rules.pattern.isEmpty, !patterns.matches(text, rules.pattern) {
      found.append("\(quoted(text)) does not match \(quoted(rules.pattern))")
    }
    if rules.headerName || rules.headerValue, text.utf8.contains(where: HeaderText.breaksLine) {
      found.append("must not contain NUL, CR or LF")
    }
    if rules.strictHeaderName, !HeaderText.isName(text) {
      found.append("\(quoted(text)) is not a header name")
    }
    if rules.strictHeaderValue, !HeaderText.isValue(text) {
      found.append("must not contain control characters")
    }
    return found
  }
}

/// Regular expressions of the rules, compiled once. A pattern that does not compile matches
/// everything: a test checks that each pattern of the schema compiles.
struct PatternCache {
  private var compiled: [String: Regex<AnyRegexOutput>] = [:]

  mutating func matches(_ text: String, _ pattern: String) -> Bool {
    if compiled[pattern] == nil { compiled[pattern] = try? Regex(pattern) }
    guard let regex = compiled[pattern] else { return true }
    return (try? regex.firstMatch(in: text)) != nil
  }
}

/// What may stand in header fields (RFC 9110, sections 5.1 and 5.5).
enum HeaderText {
  static func breaksLine(_ byte: UInt8) -> Bool { byte == 0 || byte == 0x0A || byte == 0x0D }

  /// A token, or a pseudo-header's `:` and a token.
  static func isName(_ text: String) -> Bool {
    let token = text.utf8.first == UInt8(ascii: ":") ? text.utf8.dropFirst() : text.utf8[...]
    return !token.isEmpty
      && token.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
      }
  }

  static func isValue(_ text: String) -> Bool {
    text.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }
  }
}
