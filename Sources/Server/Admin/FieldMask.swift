/// `mask`: paths of fields to keep (`google.protobuf.FieldMask`), applied to JSON trees.
struct FieldMask {
  /// Field names on each level, by path; a leaf keeps all that is below.
  private struct Node {
    var children: [String: Node] = [:]
    var isLeaf = false
  }

  let text: String
  private var root = Node()

  init(_ text: String) {
    self.text = text
    for path in text.split(separator: ",") {
      Self.add(path.split(separator: ".").map(String.init)[...], to: &root)
    }
  }

  private static func add(_ path: ArraySlice<String>, to node: inout Node) {
    guard let first = path.first else {
      node.isLeaf = true
      return
    }
    add(path.dropFirst(), to: &node.children[first, default: Node()])
  }

  /// Whether the mask names fields, and only ones of `names` at the top.
  func names(onlyFieldsOf names: Set<String>) -> Bool {
    !root.children.isEmpty && root.children.keys.allSatisfy(names.contains)
  }

  func keeps(_ field: String) -> Bool { root.children[field] != nil }

  /// The fields that the mask names; the type always stays. In lists it applies to each element.
  func applied(to value: JSONValue) -> JSONValue { Self.apply(root, to: value) }

  /// What is left of a top field's value.
  func applied(to value: JSONValue, of field: String) -> JSONValue {
    root.children[field].map { Self.apply($0, to: value) } ?? value
  }

  private static func apply(_ node: Node, to value: JSONValue) -> JSONValue {
    if node.isLeaf { return value }
    switch value {
    case .object(let fields):
      return .object(
        fields.compactMap { field in
          if field.name == "@type" { return field }
          guard let child = node.children[field.name] else { return nil }
          return JSONValue.Field(field.name, apply(child, to: field.value))
        })
    case .array(let elements): return .array(elements.map { apply(node, to: $0) })
    case .null, .bool, .number, .string: return value
    }
  }
}
