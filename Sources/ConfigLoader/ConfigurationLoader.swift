import ConfigSchema
import SwiftProtobuf

/// Turns Envoy v3 YAML or JSON texts into checked messages.
public enum ConfigurationLoader {
  public enum LoadOutcome<Content: Message & Sendable>: Sendable {
    case loaded(LoadedDocument<Content>)
    /// Every error of one pass, with the warnings, in the order of the texts.
    case failed([Diagnostic])
  }

  public typealias Outcome = LoadOutcome<Envoy_Config_Bootstrap_V3_Bootstrap>

  /// Loads a file with secrets.
  public static func loadSecrets(
    _ source: ConfigurationSource
  ) -> LoadOutcome<Envoy_Service_Discovery_V3_DiscoveryResponse> {
    load([source], as: Envoy_Service_Discovery_V3_DiscoveryResponse.self)
  }

  /// Whether a text is YAML or JSON at all.
  public static func isText(_ source: ConfigurationSource) -> Bool { (try? YAMLReader.read(source)) != nil }

  /// Loads `sources`, each laid over those before it by protobuf's merge rules: lists are
  /// appended, messages merged, anything else replaced. Never fails on the first error only,
  /// unless a text is no YAML at all.
  public static func load(_ sources: [ConfigurationSource]) -> Outcome {
    load(sources, as: Envoy_Config_Bootstrap_V3_Bootstrap.self)
  }

  private static func load<Content: Message & Sendable>(
    _ sources: [ConfigurationSource], as content: Content.Type
  ) -> LoadOutcome<Content> {
    let schema: Schema
    switch Schema.embedded {
    case .success(let embedded): schema = embedded
    case .failure(let error):
      return .failed([Diagnostic(location: nil, path: "", message: error.message)])
    }
    let rootName = Content.protoMessageName
    guard let type = schema.message(named: rootName) else {
      return .failed(
        [Diagnostic(location: nil, path: "", message: "the embedded schema lacks \(rootName)")])
    }

    var reader = MessageReader(schema: schema)
    var syntaxFaults: [Diagnostic] = []
    var root: MessageNode?
    for source in sources {
      do {
        guard let node = try YAMLReader.read(source), !node.isNull,
          let message = reader.readMessage(type, from: node)
        else { continue }
        if root == nil { root = message } else { root?.merge(message) }
      } catch {
        syntaxFaults.append(error)
      }
    }
    let tree =
      root
      ?? MessageNode(
        type: type,
        location: SourceLocation(file: sources.first?.name ?? "", line: 1, column: 1))
    var checker = RuleChecker(schema: schema, diagnostics: reader.diagnostics)
    // What a text that does not parse would have set cannot be called missing.
    if syntaxFaults.isEmpty {
      checker.check(tree)
      for options in reader.options { checker.check(options.message, at: options.path) }
    }
    let found = syntaxFaults + checker.diagnostics.sorted(sources: sources.map(\.name))
    guard syntaxFaults.isEmpty, checker.diagnostics.errorCount == 0 else { return .failed(found) }
    return decode(tree, warnings: found)
  }

  private static func decode<Content: Message & Sendable>(
    _ tree: MessageNode, warnings: [Diagnostic]
  ) -> LoadOutcome<Content> {
    do {
      // Text nesting is bounded, and each level is at most four messages deep.
      var options = BinaryDecodingOptions()
      options.messageDepthLimit = 4 * Limits.nestingMax + 16
      let content = try Content(serializedBytes: WireEncoder.encode(tree), options: options)
      return .loaded(LoadedDocument(content, diagnostics: warnings, root: tree))
    } catch {
      return .failed([
        Diagnostic(
          location: tree.location, path: "",
          message: "the configuration does not decode: \(error)")
      ])
    }
  }
}
