import Glibc
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
    var seconds = time_t(nanoseconds / 1_000_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func digits(_ value: Int32, _ count: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    let milliseconds = Int32(nanoseconds % 1_000_000_000 / 1_000_000)
    return .string(
      "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
        + "T\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))"
        + ".\(digits(milliseconds, 3))Z")
  }
}
