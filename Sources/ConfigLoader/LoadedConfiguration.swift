import ConfigSchema
import SwiftProtobuf

/// A message that fits the schema, and where in the texts its parts stand.
public struct LoadedDocument<Content: Message & Sendable>: Sendable {
  public let content: Content
  /// Warnings only: a text with errors is not loaded.
  public let diagnostics: [Diagnostic]
  private let root: MessageNode

  init(_ content: Content, diagnostics: [Diagnostic], root: MessageNode) {
    self.content = content
    self.diagnostics = diagnostics
    self.root = root
  }

  /// The place of `path`, written like the path of a diagnostic, or of its nearest ancestor that
  /// a text sets. Nil when `path` does not parse.
  public func location(ofPath path: String) -> SourceLocation? {
    ConfigurationPath(parsing: path).map { root.location(of: $0.components) }
  }

  /// A diagnostic of a later stage about `path`, with the place looked up.
  public func diagnostic(
    _ severity: Diagnostic.Severity = .error, path: String, message: String
  ) -> Diagnostic {
    Diagnostic(
      severity: severity, location: location(ofPath: path), path: path, message: message)
  }
}

/// The bootstrap.
public typealias LoadedConfiguration = LoadedDocument<Envoy_Config_Bootstrap_V3_Bootstrap>

/// A file with secrets.
public typealias LoadedSecrets = LoadedDocument<Envoy_Service_Discovery_V3_DiscoveryResponse>

extension LoadedDocument where Content == Envoy_Config_Bootstrap_V3_Bootstrap {
  public var bootstrap: Envoy_Config_Bootstrap_V3_Bootstrap { content }
}
