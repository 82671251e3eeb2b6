import Glibc

/// Whether a log file can be opened, asked before a configuration is taken into use.
enum LogPath {
  /// What stands in the way, in the system's words; nil when nothing does.
  static func problem(_ path: String) -> String? {
    if access(path, F_OK) == 0 {
      return access(path, W_OK) == 0 ? nil : reason(path)
    }
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    return access(directory, W_OK | X_OK) == 0 ? nil : reason(directory)
  }

  private static func reason(_ path: String) -> String {
    "cannot write \(path): \(String(cString: strerror(errno)))"
  }
}
