import ConfigCompiler
import ConfigLoader
import Proxy

/// Secrets whose files change while the process runs.
extension Server {
  /// Watches what the configuration in force needs watched, and nothing else.
  func watchSecrets() {
    let wanted = compiler.watchedPlaces
    for (place, watch) in secretWatches where wanted[place] == nil {
      fileWatcher()?.remove(watch)
      secretWatches[place] = nil
    }
    var missed = BackgroundLoad.Wish()
    for (place, subjects) in wanted where secretWatches[place] == nil {
      let watch = fileWatcher()?.add(.init(directory: place.directory, name: place.name)) { [unowned self] in
        changed(place)
      }
      if let watch {
        secretWatches[place] = watch
        // What has changed since it was read was seen by nobody.
        missed.merge(Self.wish(subjects, isUpdate: false))
      } else {
        log.warning(.config, "cannot watch \(place.directory) for changed secrets; SIGHUP still reads them")
      }
    }
    if !missed.isEmpty { fulfil(missed) }
  }

  private func changed(_ place: WatchedPlace) {
    fulfil(Self.wish(compiler.watchedPlaces[place] ?? [], isUpdate: true))
  }

  private static func wish(_ subjects: Set<WatchedSubject>, isUpdate: Bool) -> BackgroundLoad.Wish {
    var wish = BackgroundLoad.Wish()
    for subject in subjects {
      switch subject {
      case .secret(let key):
        wish.secrets.insert(key)
        if isUpdate { wish.updated.insert(key) }
      case .secretFiles(let key): wish.secrets.insert(key)
      case .configuration: wish.files = true
      }
    }
    return wish
  }

  private func fulfil(_ wish: BackgroundLoad.Wish) {
    if let loader {
      loader.begin(wish)
    } else {
      useSecrets(BackgroundLoad.fulfil(wish, options))
    }
  }

  /// Takes secrets that were read again into use.
  func useSecrets(_ result: BackgroundLoad.Result) {
    guard life != .draining else { return }
    var changes = compiler.update(result.secrets, updated: result.wish.updated, in: loaded)
    if result.wish.files { changes += compiler.rereadFiles(in: loaded) }
    for change in changes {
      for warning in change.warnings { log.warning(.config, "\(warning)") }
      let name = change.key.map { "secret \"\($0.name)\"" } ?? "watched files"
      switch change.outcome {
      case .taken(let what): log.info(.config, "\(name): \(what) serves new handshakes")
      case .refused(let diagnostics):
        for diagnostic in diagnostics { log.warning(.config, "\(diagnostic)") }
        log.warning(.config, "\(name): what has changed is refused; the old one stays in force")
      }
    }
    if !result.secrets.isEmpty || result.wish.files {
      watchSecrets()
      certificateEnds = Self.ends(compiler.inventories)
    }
  }
}
