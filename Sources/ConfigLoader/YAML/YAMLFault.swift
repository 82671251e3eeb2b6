import Yams

/// Words the YAML library's errors as ours: one line, with the place.
enum YAMLFault {
  static func diagnostic(for error: YamlError, file: String) -> Diagnostic {
    func located(_ mark: Mark, _ message: String) -> Diagnostic {
      Diagnostic(
        location: SourceLocation(file: file, line: mark.line, column: mark.column), path: "",
        message: message)
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
        location: location(of: offset ?? 0, in: text, file: file), path: "",
        message: "not valid YAML: \(problem)")
    default:
      return Diagnostic(
        location: SourceLocation(file: file, line: 1, column: 1), path: "",
        message: "not valid YAML: \(error)")
    }
  }

  private static func location(
    of offset: Int, in text: String, file: String
  ) -> SourceLocation {
    let lines = text.prefix(offset).split(separator: "\n", omittingEmptySubsequences: false)
    return SourceLocation(
      file: file, line: max(1, lines.count), column: (lines.last?.unicodeScalars.count ?? 0) + 1)
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
