/// A value of a YAML or JSON text: aliases expanded, merge keys applied, every part located.
struct YAMLNode: Sendable {
  enum Kind: Sendable {
    /// `isPlain` is false for quoted and block scalars, which are always strings.
    case scalar(String, isPlain: Bool)
    case sequence([YAMLNode])
    case mapping([YAMLEntry])
  }

  let kind: Kind
  let location: SourceLocation
}

struct YAMLEntry: Sendable {
  let key: String
  let keyLocation: SourceLocation
  let value: YAMLNode
}

extension YAMLNode {
  /// YAML's null: nothing, `~` or `null`.
  var isNull: Bool {
    guard case .scalar(let text, isPlain: true) = kind else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }

  /// What a plain scalar means where no schema says what it must be.
  enum Guess {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
  }

  static func guess(_ text: String, isPlain: Bool) -> Guess {
    guard isPlain else { return .string(text) }
    if ["", "~", "null", "Null", "NULL"].contains(text) { return .null }
    if let bool = ScalarText.bool(text) { return .bool(bool) }
    if let number = ScalarText.double(text) { return .number(number) }
    return .string(text)
  }

  /// How an error names this value: `a string "abc"`, `a number 5`, `a list`.
  var described: String {
    switch kind {
    case .sequence: return "a list"
    case .mapping: return "a mapping"
    case .scalar(let text, let isPlain):
      switch Self.guess(text, isPlain: isPlain) {
      case .null: return "null"
      case .bool: return "a boolean \(quotable(text))"
      case .number: return "a number \(quotable(text))"
      case .string: return "a string \(quoted(text))"
      }
    }
  }
}
