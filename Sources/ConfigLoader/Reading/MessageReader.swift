/// Walks a text's nodes beside the schema, builds the typed tree and reports whatever does not
/// fit. It never stops at a fault: the rest is read as if the faulty part were not there.
struct MessageReader {
  let schema: Schema
  var diagnostics = DiagnosticCollector()
  private(set) var path = ConfigurationPath()
  /// What stands in metadata for this proxy alone, read against messages of its own.
  private(set) var options: [(path: ConfigurationPath, message: MessageNode)] = []

  init(schema: Schema) { self.schema = schema }

  mutating func noteOptions(_ message: MessageNode) { options.append((path, message)) }

  mutating func error(_ location: SourceLocation, _ message: String) {
    diagnostics.error(location, path.text, message)
  }

  /// Runs `body` with `component` at the end of the path.
  mutating func within<Result>(
    _ component: ConfigurationPath.Component, _ body: (inout MessageReader) -> Result
  ) -> Result {
    path.components.append(component)
    defer { path.components.removeLast() }
    return body(&self)
  }

  /// Reads an ordinary message. `skippedKey` belongs to the envelope (`@type`).
  mutating func readMessage(
    _ type: MessageType, from node: YAMLNode, skippedKey: String? = nil
  ) -> MessageNode? {
    guard case .mapping(let entries) = node.kind else {
      error(node.location, "expected a mapping, got \(node.described)")
      return nil
    }
    var message = MessageNode(type: type, location: node.location)
    for entry in entries where entry.key != skippedKey {
      guard let index = type.fieldIndices[entry.key] else {
        reportUnknown(entry, in: type)
        message.hasFaults = true
        continue
      }
      // Null means that the field is not set, except where null is a value.
      let field = type.fields[index]
      if entry.value.isNull, !acceptsNull(field) { continue }
      guard !reportConflict(entry, index: index, in: message) else {
        message.hasFaults = true
        continue
      }
      let content = within(.field(field.name)) { reader in
        if field.isDeprecated {
          reader.diagnostics.warning(
            entry.keyLocation, reader.path.text, "this field is deprecated")
        }
        return reader.readContent(of: field, from: entry.value)
      }
      message.fields.append(
        FieldNode(index: index, location: entry.keyLocation, content: content))
    }
    return message
  }

  private func acceptsNull(_ field: FieldType) -> Bool {
    guard case .single = field.cardinality, case .message(let index) = field.kind else {
      return false
    }
    return schema.messages[index].wellKnown == .value
  }

  private mutating func reportUnknown(_ entry: YAMLEntry, in type: MessageType) {
    if type.unsupportedFields.contains(entry.key) {
      error(entry.keyLocation, "field \(quoted(entry.key)) is not supported by apus")
      return
    }
    // Answer in the spelling that the text uses.
    let isCamelCase = entry.key.contains(where: \.isUppercase)
    let supported = type.fields.map { isCamelCase ? $0.jsonName : $0.name }
    if let hint = Suggestion.closest(to: entry.key, among: supported) {
      error(
        entry.keyLocation, "unknown field \(quoted(entry.key)), did you mean \(quoted(hint))?")
    } else if let other = Suggestion.closest(
      to: entry.key, among: type.unsupportedFields.sorted())
    {
      error(
        entry.keyLocation,
        "unknown field \(quoted(entry.key)); \(quoted(other)) is not supported by apus")
    } else {
      error(entry.keyLocation, "unknown field \(quoted(entry.key))")
    }
  }

  /// Reports a field set twice under its two spellings, and a second member of a oneof.
  private mutating func reportConflict(
    _ entry: YAMLEntry, index: Int, in message: MessageNode
  ) -> Bool {
    let field = message.type.fields[index]
    for other in message.fields {
      if other.index == index {
        error(
          entry.keyLocation,
          "\(quoted(field.name)) and \(quoted(field.jsonName)) are the same field, set twice")
        return true
      }
      let otherField = message.type.fields[other.index]
      if let oneof = field.oneof, otherField.oneof == oneof {
        error(
          entry.keyLocation,
          "only one of \(alternatives([otherField.name, field.name])) may be set")
        return true
      }
    }
    return false
  }

  private mutating func readContent(of field: FieldType, from node: YAMLNode) -> FieldContent {
    switch field.cardinality {
    case .single:
      let value = readValue(field.kind, from: node)
      if case .invalid = value { return .invalid }
      return .single(ValueNode(location: node.location, value: value))
    case .list: return readList(field.kind, from: node)
    case .map: return readMap(field.kind, from: node)
    }
  }

  private mutating func readList(_ kind: FieldType.Kind, from node: YAMLNode) -> FieldContent {
    guard case .sequence(let elements) = node.kind else {
      error(node.location, "expected a list, got \(node.described)")
      return .invalid
    }
    var values: [ValueNode] = []
    values.reserveCapacity(elements.count)
    for (position, element) in elements.enumerated() {
      let value = within(.index(position)) { $0.readElement(kind, from: element) }
      values.append(ValueNode(location: element.location, value: value))
    }
    return .list(values)
  }

  private mutating func readElement(_ kind: FieldType.Kind, from node: YAMLNode) -> Value {
    if node.isNull, !isValueMessage(kind) {
      error(node.location, "null is not allowed here")
      return .invalid
    }
    return readValue(kind, from: node)
  }

  private func isValueMessage(_ kind: FieldType.Kind) -> Bool {
    guard case .message(let index) = kind else { return false }
    return schema.messages[index].wellKnown == .value
  }

  private mutating func readMap(_ kind: FieldType.Kind, from node: YAMLNode) -> FieldContent {
    guard case .mapping(let entries) = node.kind else {
      error(node.location, "expected a mapping, got \(node.described)")
      return .invalid
    }
    var values: [(key: String, value: ValueNode)] = []
    values.reserveCapacity(entries.count)
    for entry in entries {
      let value = within(.key(entry.key)) { reader in
        if entry.key == Self.ownKey { reader.readOptions(from: entry.value) }
        return reader.readElement(kind, from: entry.value)
      }
      values.append((entry.key, ValueNode(location: entry.keyLocation, value: value)))
    }
    return .map(values)
  }

  private mutating func readValue(_ kind: FieldType.Kind, from node: YAMLNode) -> Value {
    switch kind {
    case .scalar(let type): return readScalar(type, from: node)
    case .enumeration(let index): return readEnumeration(schema.enums[index], from: node)
    case .message(let index):
      let type = schema.messages[index]
      let message =
        type.wellKnown.map { readWellKnown($0, type, from: node) }
        ?? readMessage(type, from: node)
      return message.map(Value.message) ?? .invalid
    }
  }
}
