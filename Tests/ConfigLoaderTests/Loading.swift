import ConfigLoader
import ConfigSchema
import Testing

/// Loads one text that is expected to be good.
func load(
  _ text: String, sourceLocation: Testing.SourceLocation = #_sourceLocation
) throws -> LoadedConfiguration {
  try load([text], sourceLocation: sourceLocation)
}

func load(
  _ texts: [String], sourceLocation: Testing.SourceLocation = #_sourceLocation
) throws -> LoadedConfiguration {
  let sources = texts.enumerated().map { index, text in
    ConfigurationSource(name: index == 0 ? "a.yaml" : "overlay\(index)", text: text)
  }
  switch ConfigurationLoader.load(sources) {
  case .loaded(let configuration): return configuration
  case .failed(let diagnostics):
    Issue.record(
      "\(diagnostics.map(\.description).joined(separator: "\n"))", sourceLocation: sourceLocation)
    throw LoadingFailed()
  }
}

/// The lines that loading one text prints: errors, or the warnings of a good text.
func lines(_ text: String) -> [String] {
  switch ConfigurationLoader.load([ConfigurationSource(name: "a.yaml", text: text)]) {
  case .loaded(let configuration): configuration.diagnostics.map(\.description)
  case .failed(let diagnostics): diagnostics.map(\.description)
  }
}

struct LoadingFailed: Error {}
