/// Why a format text was refused.
public struct FormatError: Error, Equatable, CustomStringConvertible {
  /// The operator as written, without percent signs; empty when the text itself is malformed.
  public let command: String
  /// Byte offset of the operator's percent sign in the text.
  public let offset: Int
  public let message: String
  /// A known operator with a similar name.
  public let suggestion: String?

  public init(command: String, offset: Int, message: String, suggestion: String? = nil) {
    self.command = command
    self.offset = offset
    self.message = message
    self.suggestion = suggestion
  }

  public var description: String {
    let hint = suggestion.map { ", did you mean %\($0)%?" } ?? ""
    let subject = command.isEmpty ? "format" : "%\(command)%"
    return "\(subject) at offset \(offset): \(message)\(hint)"
  }
}
