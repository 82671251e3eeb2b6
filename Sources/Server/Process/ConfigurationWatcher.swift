import CSystem
import Glibc

/// Notices that a file was moved into its place: the way to replace a file whole. The directory is
/// watched, so symbolic links that are swapped (Kubernetes' `..data`) are noticed too.
final class ConfigurationWatcher {
  let descriptor: Int32
  private let name: String

  init?(path: String) {
    let slash = path.lastIndex(of: "/")
    name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    descriptor = csystem_watch_directory(directory)
    if descriptor < 0 { return nil }
  }

  deinit { close(descriptor) }

  /// Takes all waiting events; true when one of them is about the file.
  func hasChanged() -> Bool {
    var changed = false
    while true {
      switch csystem_read_watch(descriptor, name) {
      case 1: changed = true
      case 0: break
      default: return changed
      }
    }
  }
}
