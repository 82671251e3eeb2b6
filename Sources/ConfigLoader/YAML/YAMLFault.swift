import Yams

/// Words the YAML library's errors as ours: one line, with the place.
enum YAMLFault {
  /// `end` is where the text ends: the library may place a fault behind it (on a line that is not there, or, when a lone
  /// carriage return ends the text, in a column that is not).
  static func diagnostic(
    for error: YamlError, file: String, end: SourceLocation
  ) -> Diagnostic {
    func located(_ mark: Mark, _ message: String) -> Diagnostic {
      let place = SourceLocation(file: file, line: mark.line, column: mark.column)
      let isBehindEnd = (place.line, place.column) > (end.line, end.column)
      return Diagnostic(location: isBehindEnd ? end : place, path: "", message: message)
    }
    switch error {
    case .scanner(let context, let problem, let mark, _),
      .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let during = context.map { "\($0.text.trimmingSpaces), " } ?? ""
      return located(mark, "not valid YAML: \(during)\(problem.trimmingSpaces)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      let verb = duplicates.count == 1 ? "is" : "are"
      return located(
        context.mark,
        "\(duplicates.map(quoted).joined(separator: ", ")) \(verb) set more than once in a mapping")
    case .reader(let problem, let offset, _, let text):
      return Diagnostic(
        location: SourceLocation(endOf: text.prefix(offset ?? 0), in: file), path: "",
        message: "not valid YAML: \(problem)")
    default:
      return Diagnostic(
        location: SourceLocation(file: file, line: 1, column: 1), path: "",
        message: "not valid YAML: \(error)")
    }
  }
}

extension SourceLocation {
  /// The place right after `text`, with lines counted as the YAML library counts them.
  init(endOf text: some StringProtocol, in file: String) {
    var line = 1
    var column = 1
    var isAfterReturn = false
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n" where isAfterReturn: break  // the return has ended the line
      case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}":
        line += 1
        column = 1
      default: column += 1
      }
      isAfterReturn = scalar == "\r"
    }
    self.init(file: file, line: line, column: column)
  }
}

extension String {
  fileprivate var trimmingSpaces: String {
    var text = Substring(self)
    while text.last == " " || text.last == "\n" { text.removeLast() }
    while text.first == " " { text.removeFirst() }
    return String(text)
  }
}
