/// What to do with a field whose name holds `_`
/// (`headers_with_underscores_action` of Envoy's `protocol.proto`).
public enum UnderscorePolicy: UInt8, Sendable {
  case allow, reject, drop
}
