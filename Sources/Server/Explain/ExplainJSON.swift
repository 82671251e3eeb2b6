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
    if let taken = step.taken { fields.append(.init("taken", object("what", taken))) }
    if !step.facts.isEmpty {
      fields.append(.init("facts", .array(step.facts.map {
        .object($0.name.isEmpty ? [.init("value", .string($0.value))] : [.init("name", .string($0.name)), .init("value", .string($0.value))])
      })))
    }
    if !step.filters.isEmpty { fields.append(.init("filters", .array(step.filters.map(object)))) }
    if !step.rejected.isEmpty {
      fields.append(.init("rejected", .array(step.rejected.map {
        var fields: [JSONValue.Field] = [.init("what", .string($0.what)), .init("why", .string($0.why))]
        if let place = $0.place { fields.append(.init("place", .string(place))) }
        return .object(fields)
      })))
    }
    return .object(fields)
  }

  private static func object(_ filter: Filter) -> JSONValue {
    var fields: [JSONValue.Field] = [.init("name", .string(filter.name)), .init("type", .string(filter.type))]
    if let place = filter.place { fields.append(.init("place", .string(place))) }
    switch filter.state {
    case .on: fields.append(.init("state", .string("on")))
    case .notReached: fields.append(.init("state", .string("not_reached")))
    case .disabled(let by):
      fields.append(.init("state", .string("disabled")))
      fields.append(.init("disabled_by", object("level", by)))
    }
    if !filter.settings.isEmpty {
      fields.append(.init("settings", .array(filter.settings.map { object("level", $0) })))
    }
    if let says = filter.says { fields.append(.init("says", .string(says))) }
    return .object(fields)
  }

  private static func object(_ name: String, _ part: Part) -> JSONValue {
    var fields: [JSONValue.Field] = [.init(name, .string(part.text))]
    if let place = part.place { fields.append(.init("place", .string(place))) }
    return .object(fields)
  }
}
