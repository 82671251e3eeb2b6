import Yams

/// Turns a text into located nodes, within the bounds of `Limits`.
struct YAMLReader {
  private let file: String
  private var budget: Int

  /// The root of the only document of `source`; nil when it is empty. Throws the first fault.
  static func read(_ source: ConfigurationSource) throws(Diagnostic) -> YAMLNode? {
    var bytes = source.bytes
    func fault(_ message: String, line: Int = 1, column: Int = 1) -> Diagnostic {
      Diagnostic(
        location: SourceLocation(file: source.name, line: line, column: column), path: "",
        message: message)
    }
    guard bytes.count <= Limits.sourceBytesMax else {
      throw fault("larger than \(Limits.sourceBytesMax >> 20) MiB")
    }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      let good = String(decoding: bytes, as: UTF8.self).prefix { $0 != "\u{FFFD}" }
      let place = SourceLocation(endOf: good, in: source.name)
      throw fault("not valid UTF-8", line: place.line, column: place.column)
    }
    let end = SourceLocation(endOf: text, in: source.name)
    guard !CollectionKeyGuard.isSuspicious(bytes) else {
      throw fault("too many aliases in a text that uses lists or mappings as keys")
    }
    do {
      // Without rules no scalar is resolved by regular expressions: the schema decides later.
      let parser = try Parser(yaml: parsable(bytes), resolver: .basic, encoding: .utf8)
      guard let root = try parser.singleRoot() else { return nil }
      var reader = YAMLReader(file: source.name, budget: bytes.count + Limits.aliasedValuesMax)
      return try reader.convert(root, depth: 0)
    } catch let error as YamlError {
      throw YAMLFault.diagnostic(for: error, file: source.name, end: end)
    } catch let error as Diagnostic {
      throw error
    } catch {
      throw fault("\(error)")
    }
  }

  /// The text as the YAML library can take it.
  private static func parsable(_ bytes: [UInt8]) -> String {
    var bytes = JSONText.looksLikeJSON(bytes) ? JSONText.adaptedToYAML(bytes) : bytes
    // The library keeps a pointer to the string's bytes, which short strings do not have in
    // memory of their own; a comment makes them long.
    if bytes.count < 64 { bytes += Array("\n#".utf8) + [UInt8](repeating: 0x23, count: 64) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func location(_ mark: Mark?) -> SourceLocation {
    SourceLocation(file: file, line: mark?.line ?? 1, column: mark?.column ?? 1)
  }

  private func fault(_ node: Node, _ message: String) -> Diagnostic {
    Diagnostic(location: location(node.mark), path: "", message: message)
  }

  private mutating func convert(_ node: Node, depth: Int) throws(Diagnostic) -> YAMLNode {
    budget -= 1
    guard budget > 0 else {
      throw fault(
        node, "aliases expand to more than \(Limits.aliasedValuesMax) values")
    }
    if case .scalar(let scalar) = node { return try convert(scalar, in: node) }
    guard depth < Limits.nestingMax else {
      throw fault(node, "nested deeper than \(Limits.nestingMax) levels")
    }
    switch node {
    case .sequence(let sequence):
      try checkTag(sequence.tag, allowed: ["", "!", "tag:yaml.org,2002:seq"], node)
      var elements: [YAMLNode] = []
      elements.reserveCapacity(sequence.count)
      for element in sequence { elements.append(try convert(element, depth: depth + 1)) }
      return YAMLNode(kind: .sequence(elements), location: location(sequence.mark))
    case .mapping(let mapping):
      try checkTag(mapping.tag, allowed: ["", "!", "tag:yaml.org,2002:map"], node)
      return try convert(mapping, in: node, depth: depth)
    case .alias, .scalar: throw fault(node, "an alias that does not resolve")
    }
  }

  private func checkTag(_ tag: Tag, allowed: Set<String>, _ node: Node) throws(Diagnostic) {
    guard allowed.contains(tag.description) else {
      throw fault(node, "the YAML tag \(quoted(tag.description)) is not supported")
    }
  }

  private func convert(_ scalar: Node.Scalar, in node: Node) throws(Diagnostic) -> YAMLNode {
    var isPlain = scalar.style == .plain
    switch scalar.tag.description {
    case "": break
    case "!", "tag:yaml.org,2002:str": isPlain = false
    case "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool",
      "tag:yaml.org,2002:null":
      isPlain = true
    case let other: throw fault(node, "the YAML tag \(quoted(other)) is not supported")
    }
    return YAMLNode(
      kind: .scalar(scalar.string, isPlain: isPlain), location: location(scalar.mark))
  }

  private mutating func convert(
    _ mapping: Node.Mapping, in node: Node, depth: Int
  ) throws(Diagnostic) -> YAMLNode {
    var entries: [YAMLEntry] = []
    entries.reserveCapacity(mapping.count)
    var merged: [YAMLEntry] = []
    for (key, value) in mapping {
      guard case .scalar(let name) = key else {
        throw fault(key, "a key must be a string, not a list or a mapping")
      }
      let converted = try convert(value, depth: depth + 1)
      if name.string == "<<", name.style == .plain {
        merged += try entriesToMerge(converted)
      } else {
        entries.append(
          YAMLEntry(key: name.string, keyLocation: location(name.mark), value: converted))
      }
    }
    // A key of the mapping itself wins, then the first of the merged mappings.
    if !merged.isEmpty {
      var seen = Set(entries.map(\.key))
      for entry in merged where seen.insert(entry.key).inserted { entries.append(entry) }
    }
    return YAMLNode(kind: .mapping(entries), location: location(mapping.mark))
  }

  private func entriesToMerge(_ node: YAMLNode) throws(Diagnostic) -> [YAMLEntry] {
    switch node.kind {
    case .mapping(let entries): return entries
    case .sequence(let elements):
      var entries: [YAMLEntry] = []
      for element in elements {
        guard case .mapping(let more) = element.kind else { break }
        entries += more
      }
      if elements.allSatisfy({ if case .mapping = $0.kind { true } else { false } }) {
        return entries
      }
    case .scalar: break
    }
    throw Diagnostic(
      location: node.location, path: "",
      message: "the merge key \"<<\" takes a mapping or a list of mappings, got \(node.described)")
  }
}
