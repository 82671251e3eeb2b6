import Upstreams

/// What `/clusters?format=json` says of one active check of a host. There is no result before the first one.
enum CheckJSON {
  static func check(_ facts: CheckFacts) -> JSONValue {
    var fields: [JSONValue.Field] = []
    if !facts.name.isEmpty { fields.append(.init("name", .string(facts.name))) }
    fields.append(.init("type", .string("\(facts.kind)")))
    if let latest = facts.latest {
      fields += [
        .init("passed", .bool(latest.hasPassed)), .init("result", .string(latest.text)),
        .init("seconds_ago", .seconds(milliseconds: latest.millisecondsAgo)),
        .init("took_ms", .number(latest.tookMilliseconds)),
      ]
    }
    return .object(fields)
  }
}

extension JSONValue {
  /// Seconds with one digit behind the point, cut off.
  static func seconds(milliseconds: UInt64) -> JSONValue {
    let (seconds, tenths) = (milliseconds / 1000, milliseconds % 1000 / 100)
    return .number(tenths == 0 ? "\(seconds)" : "\(seconds).\(tenths)")
  }
}
