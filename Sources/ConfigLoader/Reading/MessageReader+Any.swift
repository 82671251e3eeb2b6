extension MessageReader {
  /// Reads `{"@type": ..., fields of that type}`.
  mutating func readAny(_ type: MessageType, from node: YAMLNode) -> MessageNode? {
    guard case .mapping(let entries) = node.kind else {
      error(node.location, "expected a mapping with \"@type\", got \(node.described)")
      return nil
    }
    guard let tag = entries.first(where: { $0.key == "@type" }) else {
      error(node.location, "\"@type\" is missing: it names the type of this extension")
      return nil
    }
    guard case .scalar(let url, _) = tag.value.kind, !url.isEmpty else {
      error(tag.value.location, "expected a type name, got \(tag.value.described)")
      return nil
    }
    let name = String(url.split(separator: "/", omittingEmptySubsequences: false).last ?? "")
    if let known = schema.message(named: name), !known.refusal.isEmpty {
      error(tag.value.location, known.refusal)
      return nil
    }
    guard let held = schema.message(named: name), held.isExtension else {
      reportUnknownType(name, at: tag.value.location)
      return nil
    }
    guard url.contains("/") else {
      error(tag.value.location, "expected \"type.googleapis.com/\(name)\", got \(quoted(url))")
      return nil
    }
    guard let message = readMessage(held, from: node, skippedKey: "@type") else { return nil }
    return MessageNode(type: type, node, [.string(url), .message(message)])
  }

  private mutating func reportUnknownType(_ name: String, at location: SourceLocation) {
    let simpleName = name.split(separator: ".").last.map(String.init) ?? name
    if Self.belongsToVersion2(name) {
      let successor = schema.extensionNames.first { $0.hasSuffix(".\(simpleName)") }
      error(
        location,
        "the type \(quoted(name)) belongs to the v2 API, which Envoy has removed"
          + (successor.map { ", did you mean \(quoted($0))?" } ?? ""))
      return
    }
    let hint = Suggestion.phrase(for: name, among: schema.extensionNames)
    let exact = schema.extensionNames.first { $0.hasSuffix(".\(simpleName)") }
    if !hint.isEmpty {
      error(location, "unknown type \(quoted(name))\(hint)")
    } else if let exact, !name.hasPrefix("envoy.extensions.") {
      error(location, "unknown type \(quoted(name)), did you mean \(quoted(exact))?")
    } else {
      error(location, "the type \(quoted(name)) is not supported by apus")
    }
  }

  private static func belongsToVersion2(_ name: String) -> Bool {
    guard name.hasPrefix("envoy.") else { return false }
    let parts = name.split(separator: ".")
    return parts.contains { ["v2", "v2alpha", "v2alpha1", "v2alpha2"].contains($0) }
      || name.hasPrefix("envoy.api.v2")
  }
}
