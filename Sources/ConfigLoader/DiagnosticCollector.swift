/// Gathers what the loading stages find, so that one run reports everything.
struct DiagnosticCollector {
  private(set) var diagnostics: [Diagnostic] = []
  private(set) var errorCount = 0
  private var dropped = 0

  mutating func error(_ location: SourceLocation?, _ path: String, _ message: String) {
    errorCount += 1
    add(Diagnostic(severity: .error, location: location, path: path, message: message))
  }

  mutating func warning(_ location: SourceLocation?, _ path: String, _ message: String) {
    add(Diagnostic(severity: .warning, location: location, path: path, message: message))
  }

  private mutating func add(_ diagnostic: Diagnostic) {
    if diagnostics.count < Limits.diagnosticsMax {
      diagnostics.append(diagnostic)
    } else {
      dropped += 1
    }
  }

  /// In the order of the text: by source, line and column; what has no place comes first.
  func sorted(sources: [String]) -> [Diagnostic] {
    var rank: [String: Int] = [:]
    for (index, name) in sources.enumerated() where rank[name] == nil { rank[name] = index }
    let keyed = diagnostics.enumerated().map { offset, diagnostic in
      (
        (
          diagnostic.location.map { rank[$0.file] ?? sources.count } ?? -1,
          diagnostic.location?.line ?? 0, diagnostic.location?.column ?? 0, offset
        ), diagnostic
      )
    }
    var result = keyed.sorted { $0.0 < $1.0 }.map(\.1)
    if dropped > 0 {
      result.append(
        Diagnostic(location: nil, path: "", message: "and \(dropped) more like these"))
    }
    return result
  }
}
