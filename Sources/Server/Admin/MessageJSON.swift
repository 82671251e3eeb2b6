import Primitives
import SwiftProtobuf

/// Protobuf messages as JSON trees, with the names of the `.proto` files, as Envoy prints them. Secrets are left out.
enum MessageJSON {
  /// A message that cannot be printed, which only an unknown type inside could cause, says so.
  static func tree(_ message: some Message) -> JSONValue {
    var options = JSONEncodingOptions()
    options.preserveProtoFieldNames = true
    guard let text = try? message.jsonString(options: options), let tree = JSONReader.read(text)
    else {
      return .object([
        .init("error", .string("\(type(of: message).protoMessageName) cannot be printed as JSON"))
      ])
    }
    return SecretRedaction.applied(to: tree)
  }

  /// A message as `google.protobuf.Any` prints: its type first.
  static func typed(_ message: some Message) -> JSONValue {
    let type = JSONValue.Field(
      "@type", .string("type.googleapis.com/\(Swift.type(of: message).protoMessageName)"))
    guard case .object(let fields) = tree(message) else { return .object([type]) }
    return .object([type] + fields)
  }

  /// `google.protobuf.Timestamp`, in milliseconds: `2026-11-24T01:02:03.456Z`.
  static func timestamp(nanoseconds: Int64) -> JSONValue {
    .string(WallTime.text(nanoseconds: nanoseconds))
  }
}
