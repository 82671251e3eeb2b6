/// Where access log lines go.
public enum LogDestination: Hashable, Sendable {
  case file(path: String)
  case standardOutput
  case standardError
}
