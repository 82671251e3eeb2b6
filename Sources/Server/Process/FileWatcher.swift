import CSystem

/// Notices that files were moved into their places: the way to replace a file whole. Directories are
/// watched, so symbolic links that are swapped (Kubernetes' `..data`) are noticed too.
final class FileWatcher {
  /// What is watched: one name in a directory, or every name.
  struct Place: Hashable {
    var directory: String
    /// nil = whatever is moved into the directory.
    var name: String?

    init(directory: String, name: String? = nil) {
      self.directory = directory
      self.name = name
    }

    init(file path: String) {
      let slash = path.lastIndex(of: "/")
      name = slash.map { String(path[path.index(after: $0)...]) } ?? path
      directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    fileprivate func isTouched(by moved: String) -> Bool {
      name == nil || moved == name || moved == "..data"
    }
  }

  /// What ends a watch: the number is never given again.
  struct Watch: Hashable { fileprivate let number: Int }

  private struct Entry {
    let watch: Watch
    let place: Place
    /// As the system numbers it; two paths of one directory have the same.
    let directory: Int32
    let changed: () -> Void
  }

  private let system: OpaquePointer
  /// In the order in which they were added.
  private var entries: [Entry] = []
  private var nextNumber = 0
  private let gone: (String) -> Void

  /// - Parameter gone: Called with a directory that was removed; nothing in it is watched any more.
  /// - Returns: nil when the system has no descriptors left.
  init?(gone: @escaping (String) -> Void) {
    guard let system = csystem_watch_open() else { return nil }
    self.system = system
    self.gone = gone
  }

  deinit { csystem_watch_close(system) }

  /// Readable when ``takeEvents()`` has something to do.
  var descriptor: Int32 { csystem_watch_descriptor(system) }

  /// Calls `changed` from ``takeEvents()`` when something was moved into `place`.
  ///
  /// - Returns: nil when the directory cannot be watched.
  func add(_ place: Place, _ changed: @escaping () -> Void) -> Watch? {
    let directory = csystem_watch_add(system, place.directory)
    guard directory >= 0 else { return nil }
    let watch = Watch(number: nextNumber)
    nextNumber += 1
    entries.append(Entry(watch: watch, place: place, directory: directory, changed: changed))
    return watch
  }

  /// Does nothing for a watch that has ended.
  func remove(_ watch: Watch) {
    guard let index = entries.firstIndex(where: { $0.watch == watch }) else { return }
    let directory = entries.remove(at: index).directory
    if !entries.contains(where: { $0.directory == directory }) {
      csystem_watch_remove(system, directory)
    }
  }

  /// Takes all waiting events, then tells each watch that one of them is about, once.
  func takeEvents() {
    var changed: Set<Watch> = []
    var lost: [String] = []
    var directory: Int32 = 0
    var name: UnsafePointer<CChar>?
    events: while true {
      switch Int(csystem_watch_next(system, &directory, &name)) {
      case csystem_watch_moved:
        let moved = name.map { String(cString: $0) } ?? ""
        for entry in entries where entry.directory == directory && entry.place.isTouched(by: moved) {
          changed.insert(entry.watch)
        }
      case csystem_watch_gone:
        lost += forget(directory)
      case csystem_watch_lost:
        // Whatever it was: look at everything.
        changed.formUnion(entries.map(\.watch))
      default: break events
      }
    }
    // A handler may add and remove watches, also those that are still to be told.
    for watch in entries.map(\.watch) where changed.contains(watch) {
      entries.first { $0.watch == watch }?.changed()
    }
    for directory in lost { gone(directory) }
  }

  /// - Returns: The directory's names, when it was still watched.
  private func forget(_ directory: Int32) -> [String] {
    let names = Set(entries.lazy.filter { $0.directory == directory }.map(\.place.directory))
    entries.removeAll { $0.directory == directory }
    return names.sorted()
  }
}
