import ConfigSchema

/// A message of the schema, in the form the loader works with.
final class MessageType: Sendable {
  /// `envoy.config.listener.v3.Listener`
  let name: String
  let fields: [FieldType]
  let oneofs: [OneofType]
  /// Field indices by `snake_case` and by `lowerCamelCase` name.
  let fieldIndices: [String: Int]
  /// Both spellings of the fields that Envoy has and Apus does not support.
  let unsupportedFields: Set<String>
  /// The message may stand in a `google.protobuf.Any`.
  let isExtension: Bool
  /// It may stand there in Envoy: why not here. Empty otherwise.
  let refusal: String
  let wellKnown: WellKnownType?

  init(
    name: String, fields: [FieldType], oneofs: [OneofType], unsupportedFields: [String],
    isExtension: Bool, refusal: String
  ) {
    self.name = name
    self.fields = fields
    self.oneofs = oneofs
    var indices: [String: Int] = [:]
    for (index, field) in fields.enumerated() {
      indices[field.name] = index
      indices[field.jsonName] = index
    }
    self.fieldIndices = indices
    self.unsupportedFields = Set(unsupportedFields + unsupportedFields.map(camelCased))
    self.isExtension = isExtension
    self.refusal = refusal
    self.wellKnown = WellKnownType(name: name)
  }
}

/// Messages that JSON writes in a form of their own.
enum WellKnownType: Sendable {
  case any
  case duration
  case structure
  case value
  case listValue
  /// `BoolValue`, `UInt32Value` and so on: written as the bare scalar.
  case wrapper

  init?(name: String) {
    switch name {
    case "google.protobuf.Any": self = .any
    case "google.protobuf.Duration": self = .duration
    case "google.protobuf.Struct": self = .structure
    case "google.protobuf.Value": self = .value
    case "google.protobuf.ListValue": self = .listValue
    case "google.protobuf.DoubleValue", "google.protobuf.FloatValue",
      "google.protobuf.Int64Value", "google.protobuf.UInt64Value",
      "google.protobuf.Int32Value", "google.protobuf.UInt32Value",
      "google.protobuf.BoolValue", "google.protobuf.StringValue", "google.protobuf.BytesValue":
      self = .wrapper
    default: return nil
    }
  }
}

struct OneofType: Sendable {
  let name: String
  let isRequired: Bool
  let fieldIndices: [Int]
}

final class FieldType: Sendable {
  enum Cardinality: Sendable {
    case single
    case list
    /// From strings, the only keys the schema uses.
    case map
  }

  enum Kind: Sendable {
    case scalar(ScalarType)
    /// Index into `Schema.enums`.
    case enumeration(Int)
    /// Index into `Schema.messages`.
    case message(Int)
  }

  let name: String
  let jsonName: String
  let number: Int
  let cardinality: Cardinality
  /// Of the value itself, of an element, or of a map's value.
  let kind: Kind
  /// Index into `MessageType.oneofs`.
  let oneof: Int?
  /// An absent field differs from one that holds the default.
  let hasPresence: Bool
  let isDeprecated: Bool
  let rules: Apus_V1_FieldRules?

  init(
    name: String, jsonName: String, number: Int, cardinality: Cardinality, kind: Kind,
    oneof: Int?, hasPresence: Bool, isDeprecated: Bool, rules: Apus_V1_FieldRules?
  ) {
    self.name = name
    self.jsonName = jsonName
    self.number = number
    self.cardinality = cardinality
    self.kind = kind
    self.oneof = oneof
    self.hasPresence = hasPresence
    self.isDeprecated = isDeprecated
    self.rules = rules
  }
}

enum ScalarType: Sendable {
  case bool, int32, int64, uint32, uint64, float, double, string, bytes
}

struct EnumType: Sendable {
  let name: String
  /// Every name in declaration order; two names may share a number.
  let values: [(name: String, number: Int32)]
  let deprecatedNumbers: Set<Int32>
  let numbers: [String: Int32]
  let numbersByUppercasedName: [String: Int32]
  let names: [Int32: String]
}

/// `stat_prefix` as `statPrefix`, the way protobuf makes JSON names.
func camelCased(_ name: String) -> String {
  var result = ""
  var capitalizes = false
  for character in name {
    if character == "_" {
      capitalizes = true
    } else {
      result += capitalizes ? character.uppercased() : String(character)
      capitalizes = false
    }
  }
  return result
}
