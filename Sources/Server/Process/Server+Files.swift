import ConfigCompiler
import Proxy

extension Server {
  /// What notices changes of files, on main's loop; nil when the system has no descriptors left.
  func fileWatcher() -> FileWatcher? {
    if let watcher { return watcher }
    let made = FileWatcher { [unowned self] directory in
      // The next reload watches it again, if it is there then.
      secretWatches = secretWatches.filter { $0.key.directory != directory }
      log.warning(.config, "\(directory) was removed and is not watched any more; SIGHUP still reloads")
    }
    guard let made, let main else { return nil }
    watcher = made
    main.watch(made.descriptor) { made.takeEvents() }
    return made
  }

  /// Loads the configuration anew whenever its file is replaced.
  func watchConfiguration(_ path: String) {
    let watch = fileWatcher()?.add(.init(file: path)) { [unowned self] in
      beginReload(reason: "\(path) was replaced")
    }
    if watch == nil { log.warning(.config, "cannot watch \(path) for changes; SIGHUP still reloads it") }
  }
}
