import ConfigSchema
import SwiftProtobuf

/// Values of the static layers of `layered_runtime`: they stand for fields of the configuration, and are folded into
/// them when it is compiled. A later layer wins; structures in structures are names with dots.
struct RuntimeLayers {
  private var values: [String: Google_Protobuf_Value] = [:]

  init(_ proto: Envoy_Config_Bootstrap_V3_LayeredRuntime) {
    for layer in proto.layers { add(layer.staticLayer, prefix: "") }
  }

  /// Sorted, so that of `a.b: 1` and `a: { b: 2 }` the same counts in each process.
  private mutating func add(_ layer: Google_Protobuf_Struct, prefix: String) {
    for (key, value) in layer.fields.sorted(by: { $0.key < $1.key }) {
      if case .structValue(let inner)? = value.kind, !Self.isFraction(inner) {
        add(inner, prefix: "\(prefix)\(key).")
      } else {
        values["\(prefix)\(key)"] = value
      }
    }
  }

  func has(_ key: String) -> Bool { values[key] != nil }

  /// All keys, sorted.
  var keys: [String] { values.keys.sorted() }

  /// A whole number that is not negative; nil when the key is absent or something else, as in Envoy.
  func integer(_ key: String) -> UInt64? {
    switch values[key]?.kind {
    case .numberValue(let number)? where number >= 0 && number < 9e15: UInt64(number)
    case .stringValue(let text)?: UInt64(text)
    default: nil
    }
  }

  /// A time in milliseconds, as far as durations go.
  func milliseconds(_ key: String) -> UInt64? { integer(key).map { min($0, CompilerPass.durationSecondsMax * 1000) } }

  func boolean(_ key: String) -> Bool? {
    switch values[key]?.kind {
    case .boolValue(let value)?: value
    case .numberValue(let number)?: number != 0
    case .stringValue("true")?: true
    case .stringValue("false")?: false
    default: nil
    }
  }

  func number(_ key: String) -> Double? {
    switch values[key]?.kind {
    case .numberValue(let number)?: number
    case .stringValue(let text)?: Double(text)
    default: nil
    }
  }

  /// A share: `{ numerator: 3, denominator: MILLION }`, or a whole number of percent; more than 100 is all.
  func fraction(_ key: String) -> Envoy_Type_V3_FractionalPercent? {
    if case .structValue(let fields)? = values[key]?.kind { return Self.fraction(fields) }
    return integer(key).map { percent in .with { $0.numerator = UInt32(min(100, percent)) } }
  }

  private static func isFraction(_ fields: Google_Protobuf_Struct) -> Bool {
    fields.fields["numerator"] != nil || fields.fields["denominator"] != nil
  }

  private static func fraction(_ fields: Google_Protobuf_Struct) -> Envoy_Type_V3_FractionalPercent? {
    guard let json = try? fields.jsonUTF8Data() else { return nil }
    return try? Envoy_Type_V3_FractionalPercent(jsonUTF8Data: json)
  }
}
