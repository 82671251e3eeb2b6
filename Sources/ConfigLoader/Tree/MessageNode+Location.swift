extension MessageNode {
  /// The place of the value that `components` lead to, or of the last one on the way that exists.
  func location(of components: some Collection<ConfigurationPath.Component>) -> SourceLocation {
    // The text of an `Any` shows the message it holds, not the envelope.
    if type.wellKnown == .any, case .single(let held)? = self[index: 1]?.content,
      case .message(let message) = held.value
    {
      return message.location(of: components)
    }
    guard case .field(let name)? = components.first, let index = type.fieldIndices[name],
      let field = self[index: index]
    else { return location }
    let rest = components.dropFirst()
    switch field.content {
    case .invalid: return field.location
    case .single(let node):
      guard !rest.isEmpty, case .message(let message) = node.value else { return field.location }
      let found = message.location(of: rest)
      // Nothing nearer than the message itself: its name tells more than its first key.
      return found == message.location ? field.location : found
    case .list(let elements):
      guard case .index(let position)? = rest.first, elements.indices.contains(position) else {
        return field.location
      }
      return elements[position].location(of: rest.dropFirst())
    case .map(let entries):
      guard case .key(let key)? = rest.first,
        let entry = entries.first(where: { $0.key == key })
      else { return field.location }
      return entry.value.location(of: rest.dropFirst())
    }
  }
}

extension ValueNode {
  fileprivate func location(
    of components: some Collection<ConfigurationPath.Component>
  ) -> SourceLocation {
    guard !components.isEmpty, case .message(let message) = value else { return location }
    return message.location(of: components)
  }
}
