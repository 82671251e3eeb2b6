extension Explanation {
  private static let indent = 11

  /// For people.
  public var text: String {
    var lines = ["\(request.line)  from \(request.source)", ""]
    for step in steps {
      let padding = String(repeating: " ", count: max(1, Self.indent - step.name.count))
      if let taken = step.taken {
        lines.append(Self.line("\(step.name)\(padding)\(taken.text)", taken.place))
      } else if step.rejected.isEmpty, let first = step.facts.first {
        lines.append("\(step.name)\(padding)\(first.name.isEmpty ? first.value : "\(first.name) \(first.value)")")
      } else {
        lines.append("\(step.name)\(padding)none")
      }
      let inner = String(repeating: " ", count: Self.indent + 2)
      let facts = step.taken == nil && step.rejected.isEmpty ? step.facts.dropFirst() : step.facts[...]
      for fact in facts { lines.append(inner + (fact.name.isEmpty ? fact.value : "\(fact.name) \(fact.value)")) }
      let title = step.name == "filters" ? "" : "filter "
      for filter in step.filters { lines.append(Self.line(inner + title + filter.line, filter.place)) }
      for rejection in step.rejected {
        lines.append(Self.line("\(inner)not: \(rejection.what): \(rejection.why)", rejection.place))
      }
    }
    lines.append("")
    switch outcome {
    case .forwarded: lines.append(isFromFile ? "A host takes it. Hosts are as configured: a running proxy may know better." : "A host takes it.")
    case .answered(let text): lines.append("The proxy answers by itself: \(text).")
    case .failed(let text): lines.append("Nobody takes it: \(text).")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func line(_ text: String, _ place: String?) -> String {
    guard let place else { return text }
    return text + String(repeating: " ", count: max(2, 72 - text.count)) + place
  }
}
