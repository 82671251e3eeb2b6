import ConfigCompiler
import ConfigLoader
import Proxy
import Stats

extension FuzzTarget {
  /// Files with secrets: read at start, then once more while the old one is in force.
  package static let secretFile = FuzzTarget(name: "secret-file", bytesMax: 8192) { bytes in
    let source = ConfigurationSource(name: "a", bytes: bytes)
    let texts = ["a": TextLines(bytes), "users": SecretUsers.lines]
    // A folder that does not exist: nothing that a text names is read.
    let options = CompilerOptions(workerNames: ["worker_0"], baseDirectory: "/nonexistent/apus-fuzz")
    let batch = SecretReader(options).read(SecretUsers.keys) { (_) throws(Diagnostic) in source }
    for case .failure(let failure) in batch.values {
      try require(!failure.diagnostics.isEmpty, "refused without an error")
      try checkDiagnostics(failure.diagnostics, texts)
    }
    guard case .loaded(let users) = ConfigurationLoader.load([SecretUsers.configuration]) else {
      throw Violation(description: "the configuration that uses the secrets is refused")
    }
    for key in SecretUsers.keys {
      try checkUse(of: key, batch, users, options, texts)
    }
  }

  /// One secret at a time, the others are right: what is taken is taken twice without a change, what is refused leaves the old.
  private static func checkUse(
    of key: SecretKey, _ batch: SecretBatch, _ users: LoadedConfiguration, _ options: CompilerOptions,
    _ texts: [String: TextLines]
  ) throws {
    let registry = try StatsRegistry(slabCount: 2, options: .init(slabBytes: 4 << 20))
    let compiler = SnapshotCompiler(registry: registry, options: options)
    var sockets = DryListenerSockets()
    let right = SecretReader(options).read(SecretUsers.keys) { (_) throws(Diagnostic) in SecretUsers.right }
    guard case .compiled = compiler.compile(users, sockets: &sockets, secrets: right) else {
      throw Violation(description: "the right secrets are refused")
    }
    let others = right.merging(batch.filter { $0.key == key }) { $1 }
    var wasTaken = false
    for change in compiler.update(others, updated: [key], in: users) {
      try requireEqual(change.key, key, "the secret that changed")
      try checkDiagnostics(change.warnings, texts)
      switch change.outcome {
      case .taken(let what):
        try require(!what.isEmpty, "taken without a word")
        wasTaken = true
      case .refused(let diagnostics):
        try require(diagnostics.contains { $0.severity == .error }, "refused without an error")
        try checkDiagnostics(diagnostics, texts)
      }
    }
    let again = compiler.update(others, updated: [key], in: users)
    if wasTaken { try require(again.isEmpty, "the same secret is a change") }
  }
}
