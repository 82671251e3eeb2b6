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
  /// Who `add_user_agent` says that this proxy is.
  let serviceCluster: String
  let serviceNode: String

  init(_ loaded: LoadedConfiguration, _ options: CompilerOptions, _ state: CompilerState) {
    self.loaded = loaded
    self.options = options
    self.state = state
    let node = loaded.bootstrap.node
    serviceCluster = options.serviceCluster.isEmpty ? node.cluster : options.serviceCluster
    serviceNode = options.serviceNode.isEmpty ? node.id : options.serviceNode
  }

  /// TLS configurations of unchanged listeners and clusters whose files have changed: run when all is good.
  var tlsUpdates: [() -> Void] = []

  var hasErrors: Bool { !errors.isEmpty }

  func error(_ path: String, _ message: String) {
    guard errors.count < Limits.diagnosticsMax else { return }
    errors.append(loaded.diagnostic(path: path, message: message))
  }

  func warn(_ path: String, _ message: String) {
    guard warnings.count < Limits.diagnosticsMax else { return }
    warnings.append(loaded.diagnostic(.warning, path: path, message: message))
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
