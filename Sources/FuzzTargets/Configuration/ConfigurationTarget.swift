import ConfigCompiler
import ConfigLoader
import Proxy
import Stats
import Synchronization

extension FuzzTarget {
  /// Configuration texts, YAML and JSON: loaded and compiled as at start, without sockets.
  package static let configuration = FuzzTarget(name: "configuration", bytesMax: 4096) { bytes in
    let source = ConfigurationSource(name: "a", bytes: bytes)
    let lines = ["a": TextLines(bytes)]
    switch ConfigurationLoader.load([source]) {
    case .failed(let diagnostics):
      try require(diagnostics.contains { $0.severity == .error }, "refused without an error")
      try checkDiagnostics(diagnostics, lines)
    case .loaded(let loaded):
      try require(!loaded.diagnostics.contains { $0.severity == .error }, "loaded with errors")
      try checkDiagnostics(loaded.diagnostics, lines)
      let before = Snapshot.liveCount.load(ordering: .relaxed)
      try checkCompilation(loaded, lines)
      try requireEqual(Snapshot.liveCount.load(ordering: .relaxed), before, "snapshots left")
    }
  }

  /// Every message stands in one line and names a place within its text.
  static func checkDiagnostics(
    _ diagnostics: [Diagnostic], _ texts: [String: TextLines]
  ) throws(Violation) {
    try require(diagnostics.count <= Limits.diagnosticsMax + 1, "\(diagnostics.count) messages")
    for diagnostic in diagnostics {
      let text = diagnostic.description
      try require(!diagnostic.message.isEmpty, "an empty message: \(text)")
      try require(
        !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F },
        "a control character in: \(text)")
      guard let location = diagnostic.location else { continue }
      guard let lines = texts[location.file] else { throw Violation(description: "the file of \(text)") }
      try require(lines.contains(line: location.line, column: location.column), "place of \(text)")
    }
  }

  private static func checkCompilation(
    _ loaded: LoadedConfiguration, _ lines: [String: TextLines]
  ) throws {
    let registry = try StatsRegistry(slabCount: 2, options: .init(slabBytes: 64 << 20))
    // A folder that does not exist: nothing that a text names is read.
    let options = CompilerOptions(
      workerNames: ["worker_0"], baseDirectory: "/nonexistent/apus-fuzz")
    let compiler = SnapshotCompiler(registry: registry, options: options)
    try checkDiagnostics(compiler.check(loaded), lines)
    var sockets = DryListenerSockets()
    guard case .compiled(let first) = compiler.compile(loaded, sockets: &sockets) else {
      let errors = compiler.check(loaded).filter { $0.severity == .error }
      try require(!errors.isEmpty, "the compiler refuses what it finds no error in")
      return
    }
    try checkDiagnostics(first.warnings, lines)
    guard case .compiled(let second) = compiler.compile(loaded, sockets: &sockets) else {
      throw Violation(description: "the same configuration is refused the second time")
    }
    try require(second.changes.isEmpty, "compiled again, changed: \(second.changes)")
  }
}
