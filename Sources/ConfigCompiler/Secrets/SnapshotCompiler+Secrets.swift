import ConfigLoader
import ConfigSchema
import Proxy
import Stats
import TLS

/// What came of files that have changed.
public struct SecretChange {
  public enum Outcome {
    /// In force with the next handshakes; `what` says what it is.
    case taken(what: String)
    /// The old one stays.
    case refused([Diagnostic])
  }

  /// Nil for files that the configuration itself names.
  public let key: SecretKey?
  public let outcome: Outcome
  public let warnings: [Diagnostic]
}

extension SnapshotCompiler {
  /// What to watch, and what a change there is about.
  public var watchedPlaces: [WatchedPlace: Set<WatchedSubject>] {
    var places: [WatchedPlace: Set<WatchedSubject>] = [:]
    for (key, record) in state.secrets {
      let own =
        key.watchedDirectory.map { WatchedPlace(directory: options.resolved($0)) }
        ?? WatchedPlace(file: options.resolved(key.path))
      places[own, default: []].insert(.secret(key))
      for place in record.checked.filePlaces { places[place, default: []].insert(.secretFiles(key)) }
    }
    for directory in state.watchedDirectories {
      places[WatchedPlace(directory: directory), default: []].insert(.configuration)
    }
    return places
  }

  /// Takes secrets that were read again into use: handshakes that begin from now on see them. No snapshot is made and no
  /// connection ends. Each secret is taken or refused for itself, with everything that uses it.
  ///
  /// - Parameter updated: Those whose own file was replaced, not only files that it names.
  public func update(
    _ batch: SecretBatch, updated: Set<SecretKey>, in loaded: LoadedConfiguration
  ) -> [SecretChange] {
    batch.sorted { $0.key < $1.key }.compactMap { key, reading in
      updateOne(key, reading, isUpdated: updated.contains(key), in: loaded)
    }
  }

  private func updateOne(
    _ key: SecretKey, _ reading: Swift.Result<SecretMaterial, SecretFailure>, isUpdated: Bool,
    in loaded: LoadedConfiguration
  ) -> SecretChange? {
    // A reload may have come in between.
    guard let record = state.secrets[key] else { return nil }
    let slab = registry.mainSlab
    if isUpdated { slab.increment(record.stats.updateAttempt) }
    let pass = CompilerPass(loaded, options, state, batch: [key: reading], keepsSecrets: true)
    pass.checkStaticSecrets()
    guard let checked = pass.secret(key, nil) else {
      if case .failure(let failure) = reading, failure.isUnreadable, isUpdated {
        slab.increment(record.stats.updateFailure)
      } else {
        slab.increment(isUpdated ? record.stats.updateRejected : record.stats.keyRotationFailed)
      }
      if case .success(let material) = reading {
        // The rest of it may come later.
        state.secrets[key]?.checked.filePlaces.formUnion(material.filePlaces(options))
      }
      return SecretChange(key: key, outcome: .refused(pass.sortedErrors), warnings: pass.warnings)
    }
    let isSame = checked.digest == record.checked.digest
    let warnings = pass.warnings
    if !isSame { rereadUsers(of: key, pass) }
    guard !pass.hasErrors else {
      slab.increment(isUpdated ? record.stats.updateRejected : record.stats.keyRotationFailed)
      return SecretChange(key: key, outcome: .refused(pass.sortedErrors), warnings: warnings)
    }
    for update in pass.tlsUpdates {
      update.apply()
      slab.increment(update.stats.contextUpdateBySDS)
    }
    state.secrets[key]?.checked = checked
    state.certificates.merge(pass.certificates)
    state.certificates = state.certificates.settled
    if isUpdated { state.secrets[key]?.countSuccess(registry) }
    return isSame ? nil : SecretChange(key: key, outcome: .taken(what: checked.content.described), warnings: warnings)
  }

  private func rereadUsers(of key: SecretKey, _ pass: CompilerPass) {
    let resources = pass.loaded.bootstrap.staticResources
    for (index, proto) in resources.listeners.enumerated() where SecretReferences.keys(in: proto).contains(key) {
      reread(proto, index, pass)
    }
    for (index, proto) in resources.clusters.enumerated() where SecretReferences.keys(in: proto).contains(key) {
      reread(proto, index, pass)
    }
  }

  private func reread(_ proto: Envoy_Config_Listener_V3_Listener, _ index: Int, _ pass: CompilerPass) {
    let path = "static_resources.listeners[\(index)]"
    guard let name = pass.listenerName(proto, path), let record = pass.state.listeners[name] else { return }
    pass.rereadCertificates(proto, record, path)
  }

  private func reread(_ proto: Envoy_Config_Cluster_V3_Cluster, _ index: Int, _ pass: CompilerPass) {
    guard let record = pass.state.clusters[proto.name] else { return }
    pass.rereadCertificates(proto, record, "static_resources.clusters[\(index)]")
  }

  /// Reads the files that the configuration itself names again, for those whose `watched_directory` has changed.
  public func rereadFiles(in loaded: LoadedConfiguration) -> [SecretChange] {
    let resources = loaded.bootstrap.staticResources
    var changes: [SecretChange] = []
    var certificates = CertificateCache()
    func each(_ body: (CompilerPass) -> Void) {
      let pass = CompilerPass(loaded, options, state, keepsSecrets: true)
      pass.checkStaticSecrets()
      body(pass)
      certificates.merge(pass.certificates)
      if pass.hasErrors {
        changes.append(SecretChange(key: nil, outcome: .refused(pass.sortedErrors), warnings: []))
      } else if !pass.tlsUpdates.isEmpty {
        for update in pass.tlsUpdates { update.apply() }
        changes.append(SecretChange(key: nil, outcome: .taken(what: "files"), warnings: pass.warnings))
      }
    }
    for (index, proto) in resources.listeners.enumerated() { each { reread(proto, index, $0) } }
    for (index, proto) in resources.clusters.enumerated() { each { reread(proto, index, $0) } }
    // What no file says any more is forgotten.
    state.certificates = certificates.settled
    return changes
  }
}

extension SecretContent {
  /// For a line in the log.
  var described: String {
    switch self {
    case .certificate(let certificate):
      let facts = certificate.facts
      let name = facts.commonName.isEmpty ? facts.subject : "CN=\(facts.commonName)"
      return "the certificate of \(shown(name)), valid until \(CompilerPass.date(facts.notAfter)),"
    case .validation: return "the new validation context"
    case .ticketKeys(let keys): return "the new set of \(keys.keys.count) ticket key\(keys.keys.count == 1 ? "" : "s")"
    }
  }
}
