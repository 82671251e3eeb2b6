import Proxy

extension Server {
  /// Loads the configuration anew whenever its file is replaced.
  func watchConfiguration(_ path: String) {
    let log = log
    let watcher = FileWatcher { directory in
      log.warning(.config, "\(directory) was removed and is not watched any more; SIGHUP still reloads")
    }
    let watch = watcher?.add(.init(file: path)) { [unowned self] in
      beginReload(reason: "\(path) was replaced")
    }
    guard let watcher, watch != nil, let main else {
      log.warning(.config, "cannot watch \(path) for changes; SIGHUP still reloads it")
      return
    }
    self.watcher = watcher
    main.watch(watcher.descriptor) { watcher.takeEvents() }
  }
}
