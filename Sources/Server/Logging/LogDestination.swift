/// Where access log lines go.
public enum LogDestination: Hashable, Sendable {
  case file(path: String)
  /// Nobody else may read it.
  case privateFile(path: String)
  case standardOutput
  case standardError
}

extension LogDestination {
  /// - Returns: A new descriptor; nil for what is open already.
  func open() throws(LogFileError) -> Int32? {
    switch self {
    case .file(let path): try LogFile.open(path)
    case .privateFile(let path): try LogFile.open(path, mode: 0o600)
    case .standardOutput, .standardError: nil
    }
  }
}
