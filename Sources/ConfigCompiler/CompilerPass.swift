import ConfigLoader
import ConfigSchema
import Proxy
import SwiftProtobuf

/// One run over one configuration: gathers what is wrong and works on a copy of the compiler's
/// state, which is thrown away when something is.
///
/// Everything is checked first; what needs statistics or sockets is returned as a closure that
/// cannot fail and runs only when the whole configuration is good.
final class CompilerPass {
  let loaded: LoadedConfiguration
  let options: CompilerOptions
  var state: CompilerState
  private(set) var errors: [Diagnostic] = []
  private(set) var warnings: [Diagnostic] = []
  /// Names of the clusters of this configuration; their slots are in `state`.
  var clusterNames: Set<String> = []
  /// Clusters that no hash decides in, with the names of their policies.
  var unhashedClusters: [String: String] = [:]
  /// Limits of this configuration's clusters, by name.
  lazy var breakersByCluster: [String: Envoy_Config_Cluster_V3_CircuitBreakers] = Dictionary(
    loaded.bootstrap.staticResources.clusters.map { ($0.name, $0.circuitBreakers) }) { first, _ in first }
  /// Who `add_user_agent` says that this proxy is.
  let serviceCluster: String
  let serviceNode: String

  init(
    _ loaded: LoadedConfiguration, _ options: CompilerOptions, _ state: CompilerState, batch: SecretBatch = [:],
    keepsSecrets: Bool = false
  ) {
    self.batch = batch
    self.keepsSecrets = keepsSecrets
    self.loaded = loaded
    self.options = options
    self.state = state
    let layers = loaded.bootstrap.layeredRuntime
    runtime = RuntimeLayers(layers)
    isRuntimeKept = state.runtime == layers
    if !isRuntimeKept {
      self.state.runtimeKeysRead = []
      self.state.runtimeKeysOfNoUse = [:]
    }
    self.state.runtime = layers
    let node = loaded.bootstrap.node
    serviceCluster = options.serviceCluster.isEmpty ? node.cluster : options.serviceCluster
    serviceNode = options.serviceNode.isEmpty ? node.id : options.serviceNode
  }

  /// Values that stand for fields of the configuration.
  let runtime: RuntimeLayers
  /// Whether they are those of the pass before.
  let isRuntimeKept: Bool

  /// What formats that were compiled so far ask of TLS connections.
  var tlsMentions = TLSMentions()

  // MARK: Secrets

  /// Secrets that were read for this pass.
  var batch: SecretBatch = [:]
  /// Whether secrets that are not in the batch stay as they are; else they are read now.
  var keepsSecrets = false
  /// Those that this pass has looked at; nil for what is wrong, which has been said.
  var secrets: [SecretKey: CheckedSecret?] = [:]
  var staticSecrets: [String: SecretContent?] = [:]
  /// Directories that `watched_directory` of the configuration itself names.
  var watchedDirectories: Set<String> = []
  /// What paths are about, when it is not the configuration itself.
  private(set) var material: SecretMaterial?

  /// Runs `body`, whose paths begin in the material's document and whose files are as they were read for it.
  func within<R>(_ material: SecretMaterial, _ body: () -> R) -> R {
    self.material = material
    defer { self.material = nil }
    return body()
  }

  /// Certificates and authorities of this pass; each is checked once.
  var certificates = CertificateCache()

  /// TLS configurations of unchanged listeners and clusters whose files have changed: run when all is good.
  var tlsUpdates: [TLSUpdate] = []

  var hasErrors: Bool { !errors.isEmpty }

  func error(_ path: String, _ message: String) {
    add(diagnostic(.error, path, message))
  }

  func warn(_ path: String, _ message: String) {
    add(diagnostic(.warning, path, message))
  }

  private func diagnostic(_ severity: Diagnostic.Severity, _ path: String, _ message: String) -> Diagnostic {
    material?.document.diagnostic(severity, path: path, message: message)
      ?? loaded.diagnostic(severity, path: path, message: message)
  }

  func add(_ diagnostic: Diagnostic) {
    switch diagnostic.severity {
    case .error: if errors.count < Limits.diagnosticsMax { errors.append(diagnostic) }
    case .warning: if warnings.count < Limits.diagnosticsMax { warnings.append(diagnostic) }
    }
  }

  /// Reports a field that the schema knows and the proxy does not honour.
  func refuse(_ path: String, if isSet: Bool = true) {
    if isSet { error(path, "is not supported by apus yet") }
  }

  /// Reports a field that is accepted though it changes nothing.
  func ignore(_ path: String, if isSet: Bool = true, _ reason: String = "has no effect") {
    if isSet { warn(path, reason) }
  }

  /// The message in `any`, or nil after an error.
  func unpack<Held: Message>(
    _ any: Google_Protobuf_Any, as type: Held.Type, _ path: String
  ) -> Held? {
    if let held = any.unpacked(as: type) { return held }
    error(path, "expected \"\(type.protoMessageName)\", got \"\(any.messageName)\"")
    return nil
  }
}

/// A TLS configuration that takes the place of another.
struct TLSUpdate {
  let stats: TLSFactoryStats
  let apply: () -> Void
}
