extension MessageNode {
  /// Lays `other` over this message the way protobuf merges: lists are appended, messages merged
  /// field by field, map entries replaced by key, and everything else replaced. Durations,
  /// wrapped scalars and extensions are replaced whole. A value set to its default in `other`
  /// counts as set.
  mutating func merge(_ other: MessageNode) {
    hasFaults = hasFaults || other.hasFaults
    for field in other.fields {
      if let oneof = type.fields[field.index].oneof {
        fields.removeAll { $0.index != field.index && type.fields[$0.index].oneof == oneof }
      }
      if let position = fields.firstIndex(where: { $0.index == field.index }) {
        fields[position].content.merge(field.content)
      } else {
        fields.append(field)
      }
    }
  }
}

extension FieldContent {
  fileprivate mutating func merge(_ other: FieldContent) {
    switch (self, other) {
    case (.list(let elements), .list(let more)): self = .list(elements + more)
    case (.map(var entries), .map(let more)):
      var positions: [String: Int] = [:]
      for (position, entry) in entries.enumerated() { positions[entry.key] = position }
      for entry in more {
        if let position = positions[entry.key] {
          entries[position] = entry
        } else {
          entries.append(entry)
        }
      }
      self = .map(entries)
    case (.single(let node), .single(let newer)):
      guard case .message(var message) = node.value, case .message(let over) = newer.value,
        message.type.mergesByField
      else {
        self = other
        return
      }
      message.merge(over)
      self = .single(ValueNode(location: node.location, value: .message(message)))
    case (.invalid, _): break
    default: self = other
    }
  }
}

extension MessageType {
  fileprivate var mergesByField: Bool {
    switch wellKnown {
    case nil, .structure: true
    case .any, .duration, .value, .listValue, .wrapper: false
    }
  }
}
