/// Keeps private keys, passwords and ticket keys that are written in a configuration out of what administrators read.
///
/// Where a secret is a file or an environment variable its name stays: that is what one looks for when it is the wrong one.
enum SecretRedaction {
  /// Fields whose `DataSource` is a secret (`transport_sockets/tls/v3`).
  private static let secrets: Set<String> = ["private_key", "password", "session_ticket_keys"]
  private static let inlined: Set<String> = ["inline_string", "inline_bytes"]

  static func applied(to value: JSONValue, isSecret: Bool = false) -> JSONValue {
    switch value {
    case .array(let elements):
      return .array(elements.map { applied(to: $0, isSecret: isSecret) })
    case .object(let fields):
      return .object(
        fields.map { field in
          if isSecret, inlined.contains(field.name) { return .init(field.name, .string("[redacted]")) }
          return .init(
            field.name,
            applied(to: field.value, isSecret: isSecret || secrets.contains(field.name)))
        })
    case .null, .bool, .number, .string: return value
    }
  }
}
