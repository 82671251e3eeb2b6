import ConfigCompiler
import ConfigLoader
import Stats

/// `apus check`: everything that running would say about a configuration, without running.
public enum ConfigurationCheck {
  public struct Report {
    /// Errors and warnings, one a line, in the order of the file.
    public var lines: [String]
    public var errorCount: Int
  }

  public static func run(_ options: ServerOptions) -> Report {
    var diagnostics: [Diagnostic] = []
    do {
      switch ConfigurationLoader.load(try options.sources()) {
      case .failed(let found): diagnostics = found
      case .loaded(let loaded):
        let registry = try StatsRegistry(slabCount: 2)
        let compiler = SnapshotCompiler(
          registry: registry, options: CompilerOptions(workerNames: ["worker_0"]))
        diagnostics = loaded.diagnostics + compiler.check(loaded)
      }
    } catch let error as Diagnostic {
      diagnostics = [error]
    } catch {
      return Report(lines: ["\(error)"], errorCount: 1)
    }
    return Report(
      lines: diagnostics.map(\.description),
      errorCount: diagnostics.filter { $0.severity == .error }.count)
  }
}
