/// Settings that Envoy does not have stand in `metadata.filter_metadata.apus` of clusters and routes: to the schema a
/// structure without rules. It is read a second time, against a message, so that mistakes in it are found like others.
extension MessageReader {
  static let ownKey = "apus"

  /// The message for each list whose elements may have such settings.
  private static let messages = ["clusters": "apus.v1.ClusterOptions", "routes": "apus.v1.RouteOptions"]

  /// - Parameter node: What stands under ``ownKey``; the path ends there.
  mutating func readOptions(from node: YAMLNode) {
    guard let name = Self.message(at: path), let type = schema.message(named: name),
      let message = readMessage(type, from: node)
    else { return }
    noteOptions(message)
  }

  private static func message(at path: ConfigurationPath) -> String? {
    let end = path.components.suffix(5)
    guard end.count == 5, case .field(let list)? = end.first,
      Array(end.dropFirst(2).prefix(2)) == [.field("metadata"), .field("filter_metadata")]
    else { return nil }
    return messages[list]
  }
}
