extension MessageReader {
  mutating func readWellKnown(
    _ form: WellKnownType, _ type: MessageType, from node: YAMLNode
  ) -> MessageNode? {
    switch form {
    case .any: return readAny(type, from: node)
    case .duration: return readDuration(type, from: node)
    case .structure: return readStructure(type, from: node)
    case .value: return readDynamicValue(type, from: node)
    case .listValue:
      guard case .sequence = node.kind else {
        error(node.location, "expected a list, got \(node.described)")
        return nil
      }
      return readDynamicList(type, from: node)
    case .wrapper:
      guard case .scalar(let scalar)? = type.fields.first?.kind else { return nil }
      let value = readScalar(scalar, from: node)
      if case .invalid = value { return nil }
      return MessageNode(type: type, node, [value])
    }
  }

  private mutating func readDuration(_ type: MessageType, from node: YAMLNode) -> MessageNode? {
    // Envoy also takes the message's own fields: `{seconds: 3}`.
    if case .mapping = node.kind { return readDurationParts(type, from: node) }
    guard case .scalar(let text, _) = node.kind, let duration = DurationText(parsing: text) else {
      error(node.location, "expected a duration like 0.25s, got \(node.described)")
      return nil
    }
    guard duration.isInRange else {
      error(node.location, "the duration \(quotable(text)) is longer than 10000 years")
      return nil
    }
    return MessageNode(
      type: type, node, [.signed(duration.seconds), .signed(Int64(duration.nanoseconds))])
  }

  private mutating func readDurationParts(
    _ type: MessageType, from node: YAMLNode
  ) -> MessageNode? {
    guard let parts = readMessage(type, from: node), !parts.hasFaults else { return nil }
    var values: [Value] = [.signed(0), .signed(0)]
    for field in parts.fields where values.indices.contains(field.index) {
      guard case .single(let part) = field.content else { return nil }
      values[field.index] = part.value
    }
    return MessageNode(type: type, node, values)
  }

  // MARK: google.protobuf.Struct, Value and ListValue: any JSON

  private mutating func readStructure(_ type: MessageType, from node: YAMLNode) -> MessageNode? {
    guard case .mapping(let entries) = node.kind, let field = type.fields.first,
      case .message(let index) = field.kind
    else {
      error(node.location, "expected a mapping, got \(node.described)")
      return nil
    }
    var values: [(key: String, value: ValueNode)] = []
    values.reserveCapacity(entries.count)
    for entry in entries {
      guard let value = readDynamicValue(schema.messages[index], from: entry.value) else {
        continue
      }
      values.append((entry.key, ValueNode(location: entry.keyLocation, value: .message(value))))
    }
    var message = MessageNode(type: type, location: node.location)
    message.fields = [FieldNode(index: 0, location: node.location, content: .map(values))]
    return message
  }

  private mutating func readDynamicValue(
    _ type: MessageType, from node: YAMLNode
  ) -> MessageNode? {
    let (name, value): (String, Value?)
    switch node.kind {
    case .mapping: (name, value) = ("struct_value", readHeld("struct_value", type, node))
    case .sequence: (name, value) = ("list_value", readHeld("list_value", type, node))
    case .scalar(let text, let isPlain):
      switch YAMLNode.guess(text, isPlain: isPlain) {
      case .null: (name, value) = ("null_value", .enumeration(0))
      case .bool(let bool): (name, value) = ("bool_value", .bool(bool))
      case .number(let number): (name, value) = ("number_value", .double(number))
      case .string(let string): (name, value) = ("string_value", .string(string))
      }
    }
    guard let value, let index = type.fieldIndices[name] else { return nil }
    var message = MessageNode(type: type, location: node.location)
    message.fields = [
      FieldNode(
        index: index, location: node.location,
        content: .single(ValueNode(location: node.location, value: value)))
    ]
    return message
  }

  private mutating func readHeld(
    _ name: String, _ type: MessageType, _ node: YAMLNode
  ) -> Value? {
    guard let index = type.fieldIndices[name], case .message(let held) = type.fields[index].kind
    else { return nil }
    let heldType = schema.messages[held]
    let message =
      heldType.wellKnown == .structure
      ? readStructure(heldType, from: node) : readDynamicList(heldType, from: node)
    return message.map(Value.message)
  }

  private mutating func readDynamicList(
    _ type: MessageType, from node: YAMLNode
  ) -> MessageNode? {
    guard case .sequence(let elements) = node.kind,
      case .message(let index)? = type.fields.first?.kind
    else { return nil }
    var values: [ValueNode] = []
    for element in elements {
      guard let value = readDynamicValue(schema.messages[index], from: element) else { continue }
      values.append(ValueNode(location: element.location, value: .message(value)))
    }
    var message = MessageNode(type: type, location: node.location)
    message.fields = [FieldNode(index: 0, location: node.location, content: .list(values))]
    return message
  }
}

extension MessageNode {
  /// A message whose first fields hold `values`, all written at `node`.
  init(type: MessageType, _ node: YAMLNode, _ values: [Value]) {
    self.init(type: type, location: node.location)
    fields = zip(type.fields.indices, values).map { index, value in
      FieldNode(
        index: index, location: node.location,
        content: .single(ValueNode(location: node.location, value: value)))
    }
  }
}
