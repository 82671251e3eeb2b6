import ConfigSchema

/// Checks the merged tree against the rules that the schema states about fields.
struct RuleChecker {
  let schema: Schema
  var diagnostics: DiagnosticCollector
  private var path = ConfigurationPath()
  private var patterns = PatternCache()

  init(schema: Schema, diagnostics: DiagnosticCollector) {
    self.schema = schema
    self.diagnostics = diagnostics
  }

  /// Checks a message that stands somewhere in the tree.
  mutating func check(_ message: MessageNode, at place: ConfigurationPath) {
    path = place
    check(message)
    path = ConfigurationPath()
  }

  mutating func check(_ message: MessageNode) {
    if message.type.wellKnown != nil {
      if message.type.wellKnown == .any { checkHeld(by: message) }
      return
    }
    if !message.hasFaults { checkPresence(in: message) }
    for node in message.fields {
      let field = message.type.fields[node.index]
      path.components.append(.field(field.name))
      check(node, of: field)
      path.components.removeLast()
    }
  }

  private mutating func checkHeld(by any: MessageNode) {
    guard case .single(let node)? = any[index: 1]?.content, case .message(let held) = node.value
    else { return }
    check(held)
  }

  private mutating func report(_ location: SourceLocation, _ message: String) {
    diagnostics.error(location, path.text, message)
  }

  private mutating func checkPresence(in message: MessageNode) {
    let present = Set(message.fields.map(\.index))
    for (index, field) in message.type.fields.enumerated() where !present.contains(index) {
      guard let rules = field.rules, field.oneof == nil, rules.refusesAbsence(of: field) else {
        continue
      }
      report(message.location, "\(quoted(field.name)) is required")
    }
    for oneof in message.type.oneofs where oneof.isRequired {
      guard oneof.fieldIndices.allSatisfy({ !present.contains($0) }) else { continue }
      let names = oneof.fieldIndices.map { message.type.fields[$0].name }
      report(
        message.location,
        names.count == 1
          ? "\(quoted(names[0])) is required" : "one of \(alternatives(names)) is required")
    }
  }

  private mutating func check(_ node: FieldNode, of field: FieldType) {
    switch node.content {
    case .invalid: break
    case .single(let value):
      if let rules = field.rules { check(value, against: rules) }
      descend(into: value)
    case .list(let elements):
      if let rules = field.rules {
        check(count: elements.count, rules, at: node.location)
        if rules.unique { checkUnique(elements) }
      }
      for (position, element) in elements.enumerated() {
        path.components.append(.index(position))
        if let rules = field.rules, rules.hasItems { check(element, against: rules.items) }
        descend(into: element)
        path.components.removeLast()
      }
    case .map(let entries):
      if let rules = field.rules { check(count: entries.count, rules, at: node.location) }
      for entry in entries {
        path.components.append(.key(entry.key))
        if let rules = field.rules, rules.hasKeys {
          check(
            ValueNode(location: entry.value.location, value: .string(entry.key)),
            against: rules.keys)
        }
        descend(into: entry.value)
        path.components.removeLast()
      }
    }
  }

  private mutating func descend(into node: ValueNode) {
    if case .message(let message) = node.value { check(message) }
  }

  private mutating func check(
    count: Int, _ rules: Apus_V1_FieldRules, at location: SourceLocation
  ) {
    if rules.hasMinItems, UInt64(count) < rules.minItems {
      report(location, "expected at least \(plural(rules.minItems, "element")), got \(count)")
    }
    if rules.hasMaxItems, UInt64(count) > rules.maxItems {
      report(location, "expected at most \(plural(rules.maxItems, "element")), got \(count)")
    }
  }

  private mutating func checkUnique(_ elements: [ValueNode]) {
    var seen: Set<[UInt8]> = []
    for (position, element) in elements.enumerated() {
      guard let key = element.value.identity else { continue }
      guard !seen.insert(key).inserted else { continue }
      path.components.append(.index(position))
      report(element.location, "this element is already in the list")
      path.components.removeLast()
    }
  }

  private mutating func check(_ node: ValueNode, against rules: Apus_V1_FieldRules) {
    for message in ValueRules.violations(of: node.value, rules, &patterns) {
      report(node.location, message)
    }
  }
}

extension Apus_V1_FieldRules {
  /// An absent field without presence holds its default, which the rules may refuse.
  fileprivate func refusesAbsence(of field: FieldType) -> Bool {
    if required { return true }
    if case .list = field.cardinality { return hasMinItems && minItems > 0 }
    if case .map = field.cardinality { return hasMinItems && minItems > 0 }
    if field.hasPresence || ignoreEmpty { return false }
    switch field.kind {
    case .message: return false
    case .scalar(.string), .scalar(.bytes):
      return (hasMinLen && minLen > 0) || !pattern.isEmpty || strictHeaderName || !`in`.isEmpty
    case .scalar:
      return mustBeTrue || (hasGt && gt >= 0) || (hasGte && gte > 0) || (hasLt && lt <= 0)
        || (hasLte && lte < 0)
    case .enumeration: return notIn.contains(0)
    }
  }
}

extension Value {
  /// Bytes that are equal for equal scalars; nil for what no rule compares.
  fileprivate var identity: [UInt8]? {
    switch self {
    case .string(let text): Array(text.utf8)
    case .bytes(let bytes): bytes
    case .bool(let bool): [bool ? 1 : 0]
    case .signed(let integer): Array("\(integer)".utf8)
    case .unsigned(let integer): Array("\(integer)".utf8)
    case .double(let double): Array("\(double)".utf8)
    case .enumeration(let number): Array("\(number)".utf8)
    case .message, .invalid: nil
    }
  }
}

func plural(_ count: UInt64, _ noun: String) -> String {
  count == 1 ? "1 \(noun)" : "\(count) \(noun)s"
}
