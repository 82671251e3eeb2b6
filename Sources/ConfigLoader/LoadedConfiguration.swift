import ConfigSchema

/// A configuration that fits the schema, and where in the texts its parts stand.
public struct LoadedConfiguration: Sendable {
  public let bootstrap: Envoy_Config_Bootstrap_V3_Bootstrap
  /// Warnings only: a configuration with errors is not loaded.
  public let diagnostics: [Diagnostic]
  private let root: MessageNode

  init(
    bootstrap: Envoy_Config_Bootstrap_V3_Bootstrap, diagnostics: [Diagnostic], root: MessageNode
  ) {
    self.bootstrap = bootstrap
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
