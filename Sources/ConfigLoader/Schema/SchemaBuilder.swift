import ConfigSchema
import SwiftProtobuf

/// Resolves descriptors into `MessageType` and `EnumType`, in two passes: names, then fields.
struct SchemaBuilder {
  private(set) var messageIndices: [String: Int] = [:]
  private var enumIndices: [String: Int] = [:]
  private var messages: [(name: String, proto: Google_Protobuf_DescriptorProto)] = []
  private var enums: [(name: String, proto: Google_Protobuf_EnumDescriptorProto)] = []

  mutating func index(_ files: Google_Protobuf_FileDescriptorSet) {
    // The schema of schemas says `extendee` and groups; no configuration holds it.
    for file in files.file where file.name != "google/protobuf/descriptor.proto" {
      for proto in file.enumType { index(proto, scope: file.package) }
      for proto in file.messageType { index(proto, scope: file.package) }
    }
  }

  private mutating func index(_ proto: Google_Protobuf_EnumDescriptorProto, scope: String) {
    let name = "\(scope).\(proto.name)"
    enumIndices[name] = enums.count
    enums.append((name, proto))
  }

  private mutating func index(_ proto: Google_Protobuf_DescriptorProto, scope: String) {
    let name = "\(scope).\(proto.name)"
    messageIndices[name] = messages.count
    messages.append((name, proto))
    for nested in proto.enumType { index(nested, scope: name) }
    for nested in proto.nestedType { index(nested, scope: name) }
  }

  func build() throws(SchemaError) -> ([MessageType], [EnumType]) {
    var builtMessages: [MessageType] = []
    for (name, proto) in messages { builtMessages.append(try build(proto, named: name)) }
    return (builtMessages, enums.map { Self.build($0.proto, named: $0.name) })
  }

  private static func build(
    _ proto: Google_Protobuf_EnumDescriptorProto, named name: String
  ) -> EnumType {
    EnumType(
      name: name,
      values: proto.value.map { ($0.name, $0.number) },
      deprecatedNumbers: Set(proto.value.filter(\.options.deprecated).map(\.number)),
      numbers: Dictionary(proto.value.map { ($0.name, $0.number) }) { first, _ in first },
      numbersByUppercasedName: Dictionary(
        proto.value.map { ($0.name.uppercased(), $0.number) }
      ) { first, _ in first },
      names: Dictionary(proto.value.map { ($0.number, $0.name) }) { first, _ in first })
  }

  private func build(
    _ proto: Google_Protobuf_DescriptorProto, named name: String
  ) throws(SchemaError) -> MessageType {
    var fields: [FieldType] = []
    for field in proto.field { fields.append(try build(field)) }
    var oneofs: [OneofType] = []
    for (index, oneof) in proto.oneofDecl.enumerated() {
      oneofs.append(
        OneofType(
          name: oneof.name, isRequired: oneof.options.Apus_V1_required,
          fieldIndices: fields.indices.filter { fields[$0].oneof == index }))
    }
    let facts = proto.options.Apus_V1_message
    return MessageType(
      name: name, fields: fields, oneofs: oneofs, unsupportedFields: facts.unsupported,
      isExtension: facts.extension, refusal: facts.refused)
  }

  private func build(
    _ proto: Google_Protobuf_FieldDescriptorProto
  ) throws(SchemaError) -> FieldType {
    var cardinality = FieldType.Cardinality.single
    var kind = try kind(of: proto)
    if proto.label == .repeated {
      cardinality = .list
      if case .message(let index) = kind, messages[index].proto.options.mapEntry {
        let entry = messages[index].proto.field
        guard let key = entry.first(where: { $0.number == 1 }),
          let value = entry.first(where: { $0.number == 2 }),
          key.type == .string
        else { throw SchemaError(message: "\(messages[index].name) has keys other than strings") }
        cardinality = .map
        kind = try self.kind(of: value)
      }
    }
    let isMember = proto.hasOneofIndex && !proto.proto3Optional
    let isMessage = if case .message = kind { true } else { false }
    return FieldType(
      name: proto.name, jsonName: proto.jsonName, number: Int(proto.number),
      cardinality: cardinality, kind: kind,
      oneof: isMember ? Int(proto.oneofIndex) : nil,
      hasPresence: proto.hasOneofIndex || (isMessage && proto.label != .repeated),
      isDeprecated: proto.options.deprecated,
      rules: proto.options.hasApus_V1_rules ? proto.options.Apus_V1_rules : nil)
  }

  private func kind(
    of proto: Google_Protobuf_FieldDescriptorProto
  ) throws(SchemaError) -> FieldType.Kind {
    // Type names are absolute: `.envoy.config.core.v3.Address`.
    let name = String(proto.typeName.dropFirst())
    switch proto.type {
    case .bool: return .scalar(.bool)
    case .int32: return .scalar(.int32)
    case .int64: return .scalar(.int64)
    case .uint32: return .scalar(.uint32)
    case .uint64: return .scalar(.uint64)
    case .float: return .scalar(.float)
    case .double: return .scalar(.double)
    case .string: return .scalar(.string)
    case .bytes: return .scalar(.bytes)
    case .message:
      if let index = messageIndices[name] { return .message(index) }
    case .enum:
      if let index = enumIndices[name] { return .enumeration(index) }
    default: break
    }
    throw SchemaError(message: "the field \(proto.name) has a type the loader does not know")
  }
}
