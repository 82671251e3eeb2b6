/// A place in a configuration text.
public struct SourceLocation: Hashable, Sendable, CustomStringConvertible {
  /// The name the source was given, usually the path of a file.
  public let file: String
  /// Counted from 1.
  public let line: Int
  /// Counted from 1, in Unicode scalars.
  public let column: Int

  public init(file: String, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }

  /// `edge.yaml:31:9`
  public var description: String { "\(file):\(line):\(column)" }
}
