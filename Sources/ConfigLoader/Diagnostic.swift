/// Something about a configuration that a person should act on.
public struct Diagnostic: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Severity: Hashable, Sendable {
    case error
    case warning
  }

  public let severity: Severity
  /// Nil when the fault has no place in a text, such as a file that cannot be read.
  public let location: SourceLocation?
  /// `static_resources.listeners[0].address`; empty for the whole configuration.
  public let path: String
  /// What is wrong, in one line without a full stop.
  public let message: String

  public init(
    severity: Severity = .error, location: SourceLocation?, path: String, message: String
  ) {
    self.severity = severity
    self.location = location
    self.path = path
    self.message = message
  }

  /// `edge.yaml:31:9: static_resources.listeners[0].address: what is wrong`
  public var description: String {
    var text = ""
    if let location { text += "\(location): " }
    if severity == .warning { text += "warning: " }
    if !path.isEmpty { text += "\(path): " }
    return text + message
  }
}
