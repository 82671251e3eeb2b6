import ConfigCompiler
import ConfigLoader
import Proxy
import Stats

/// `apus explain`: a request's way through a configuration that does not run.
public enum ConfigurationExplanation {
  public enum Result {
    case explained(Explanation)
    /// Everything that is wrong with the configuration, a line each.
    case refused([String])
  }

  public static func run(_ options: ServerOptions, _ request: ExplainedRequest) -> Result {
    do {
      switch ConfigurationLoader.load(try options.sources()) {
      case .failed(let found): return .refused(found.map(\.description))
      case .loaded(let loaded):
        let compiler = SnapshotCompiler(
          registry: try StatsRegistry(slabCount: 2),
          options: CompilerOptions(
            workerNames: ["worker_0"], serviceCluster: options.serviceCluster, serviceNode: options.serviceNode,
            serviceZone: options.serviceZone))
        var sockets = DryListenerSockets()
        switch compiler.compile(loaded, sockets: &sockets) {
        case .failed(let errors): return .refused(errors.map(\.description))
        case .compiled(let compilation):
          return .explained(Explainer(loaded, compilation.snapshot, compiler.hostSets, facts: nil).explain(request))
        }
      }
    } catch let error as Diagnostic {
      return .refused([error.description])
    } catch {
      return .refused(["\(error)"])
    }
  }
}

extension Explainer {
  init(
    _ loaded: LoadedConfiguration, _ snapshot: Snapshot,
    _ clusters: [(config: Frozen<ClusterConfig>, hosts: Frozen<HostSet>)], facts: ((UInt32) -> AdminHostFacts)?,
    failsHealthChecks: Bool = false
  ) {
    let named = clusters.map { AdminCluster(config: $0.config, hosts: $0.hosts) }
    self.init(
      loaded: loaded, snapshot: snapshot, clusters: Dictionary(named.map { ($0.name, $0) }) { first, _ in first }, facts: facts,
      failsHealthChecks: failsHealthChecks)
  }
}
