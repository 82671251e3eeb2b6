import ConfigLoader
import ConfigSchema
import SwiftProtobuf

/// What fields take from runtime keys. Each key that is asked for is noted, and so is what is no use: those that nobody
/// asks for, and values of another kind, are warned of where the layers are.
extension CompilerPass {
  /// The runtime's value of a key; nil: it has none of use, and then the field counts.
  ///
  /// - Parameter kind: What the value must be, for the warning.
  func runtimeValue<Value>(_ key: String, _ kind: String, _ value: (RuntimeLayers, String) -> Value?) -> Value? {
    guard runtime.has(key), !key.isEmpty else { return nil }
    state.runtimeKeysRead.insert(key)
    let found = value(runtime, key)
    if found == nil { state.runtimeKeysOfNoUse[key] = kind }
    return found
  }

  func runtimeNumber(_ key: String) -> UInt64? {
    runtimeValue(key, "whole number of at least 0") { $0.integer($1) }
  }

  /// A whole number of percent; more than 100 is all.
  func runtimePercent(_ key: String) -> UInt32? { runtimeNumber(key).map { UInt32(min(100, $0)) } }

  func runtimeMilliseconds(_ key: String) -> UInt64? {
    runtimeValue(key, "whole number of milliseconds") { $0.milliseconds($1) }
  }

  func runtimeFlag(_ key: String) -> Bool? { runtimeValue(key, "\"true\" or \"false\"") { $0.boolean($1) } }

  /// After all else has been compiled.
  func warnOfRuntimeValues() {
    let layers = loaded.bootstrap.layeredRuntime.layers.map { layer in RuntimeLayers(.with { $0.layers = [layer] }) }
    for (index, layer) in layers.enumerated() {
      let path = "layered_runtime.layers[\(index)].static_layer"
      for key in layer.keys {
        if !state.runtimeKeysRead.contains(key) {
          warn(path, "the runtime key \"\(shown(key))\" has no effect")
        } else if let kind = state.runtimeKeysOfNoUse[key], !layers[(index + 1)...].contains(where: { $0.has(key) }) {
          // The last layer that has a key is the one that counts.
          warn(path, "the value of the runtime key \"\(shown(key))\" is no \(kind): the field's own counts")
        }
      }
    }
  }
}
