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

extension Explanation {
  /// For programs: one object a step.
  var json: JSONValue {
    var fields: [JSONValue.Field] = [
      .init("request", .object([
        .init("method", .string(request.method)), .init("scheme", .string(request.scheme)),
        .init("authority", .string(request.authority)), .init("path", .string(request.target)),
        .init("source", .string("\(request.source)")),
      ]))
    ]
    fields.append(.init("steps", .array(steps.map(Self.object))))
    let (result, reason): (String, String?) =
      switch outcome {
      case .forwarded: ("forwarded", nil)
      case .answered(let text): ("answered", text)
      case .failed(let text): ("failed", text)
      }
    fields.append(.init("outcome", .string(result)))
    if let reason { fields.append(.init("reason", .string(reason))) }
    fields.append(.init("live", .bool(!isFromFile)))
    return .object(fields)
  }

  public var jsonText: String {
    var bytes: [UInt8] = []
    json.print(into: &bytes)
    return String(decoding: bytes, as: UTF8.self) + "\n"
  }

  private static func object(_ step: Step) -> JSONValue {
    var fields: [JSONValue.Field] = [.init("step", .string(step.name))]
    if let taken = step.taken {
      var part: [JSONValue.Field] = [.init("what", .string(taken.text))]
      if let place = taken.place { part.append(.init("place", .string(place))) }
      fields.append(.init("taken", .object(part)))
    }
    if !step.facts.isEmpty {
      fields.append(.init("facts", .array(step.facts.map {
        .object($0.name.isEmpty ? [.init("value", .string($0.value))] : [.init("name", .string($0.name)), .init("value", .string($0.value))])
      })))
    }
    if !step.rejected.isEmpty {
      fields.append(.init("rejected", .array(step.rejected.map {
        var fields: [JSONValue.Field] = [.init("what", .string($0.what)), .init("why", .string($0.why))]
        if let place = $0.place { fields.append(.init("place", .string(place))) }
        return .object(fields)
      })))
    }
    return .object(fields)
  }
}
