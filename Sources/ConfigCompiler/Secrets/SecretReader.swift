import ConfigLoader
import ConfigSchema
import SwiftProtobuf

/// Reads files with secrets, and the files that those name. On any thread.
public struct SecretReader: Sendable {
  private let sources: DataSourceReader
  private let options: CompilerOptions

  public init(_ options: CompilerOptions) {
    self.options = options
    sources = DataSourceReader(options: options)
  }

  /// All secrets from files that a configuration names.
  public func read(_ loaded: LoadedConfiguration) -> SecretBatch {
    read(SecretReferences.keys(in: loaded.bootstrap))
  }

  public func read(_ keys: Set<SecretKey>) -> SecretBatch {
    read(keys) { (path) throws(Diagnostic) in try ConfigurationSource(path: options.resolved(path)) }
  }

  /// - Parameter open: Gives the text of a file.
  package func read(_ keys: Set<SecretKey>, open: (String) throws(Diagnostic) -> ConfigurationSource) -> SecretBatch {
    var documents: [String: Result<LoadedSecrets, SecretFailure>] = [:]
    var batch: SecretBatch = [:]
    for key in keys {
      let document = documents[key.path] ?? load(key.path, open)
      documents[key.path] = document
      batch[key] = document.flatMap { material(key, $0) }
    }
    return batch
  }

  private func load(
    _ path: String, _ open: (String) throws(Diagnostic) -> ConfigurationSource
  ) -> Result<LoadedSecrets, SecretFailure> {
    do throws(Diagnostic) {
      let source = try open(path)
      switch ConfigurationLoader.loadSecrets(source) {
      case .loaded(let document): return .success(document)
      case .failed(let diagnostics):
        return .failure(SecretFailure(isUnreadable: !ConfigurationLoader.isText(source), diagnostics: diagnostics))
      }
    } catch {
      return .failure(SecretFailure(isUnreadable: true, diagnostics: [error]))
    }
  }

  private func material(_ key: SecretKey, _ document: LoadedSecrets) -> Result<SecretMaterial, SecretFailure> {
    func failure(_ place: String, _ message: String) -> Result<SecretMaterial, SecretFailure> {
      .failure(
        SecretFailure(isUnreadable: false, diagnostics: [document.diagnostic(path: place, message: message)]))
    }
    var others: [String] = []
    for (index, resource) in document.content.resources.enumerated() {
      let place = "resources[\(index)]"
      guard let secret = resource.unpacked(as: SecretProto.self) else {
        return failure(place, "\"\(shown(resource.messageName))\" is not a secret")
      }
      if secret.name != key.name {
        others.append("\"\(shown(secret.name))\"")
        continue
      }
      var files: [String: Result<[UInt8], DataSourceReader.Failure>] = [:]
      for name in secret.filenames where files[name] == nil {
        files[name] = Result { () throws(DataSourceReader.Failure) in try sources.file(name) }
      }
      return .success(SecretMaterial(secret: secret, document: document, place: place, files: files))
    }
    let found = others.isEmpty ? "no secret at all" : others.prefix(5).joined(separator: ", ")
    return failure("resources", "there is no secret \"\(shown(key.name))\" in \(shownFile(key.path)), but \(found)")
  }
}

extension SecretProto {
  /// Files that it names.
  var filenames: [String] {
    let sources: [Envoy_Config_Core_V3_DataSource] =
      switch type {
      case .tlsCertificate(let certificate):
        [certificate.certificateChain, certificate.privateKey, certificate.password, certificate.ocspStaple]
      case .validationContext(let context): [context.trustedCa, context.crl]
      case .sessionTicketKeys(let keys): keys.keys
      case nil: []
      }
    return sources.compactMap { if case .filename(let name)? = $0.specifier { name } else { nil } }
  }

  var watchedDirectory: String? {
    switch type {
    case .tlsCertificate(let certificate) where certificate.hasWatchedDirectory: certificate.watchedDirectory.path
    case .validationContext(let context) where context.hasWatchedDirectory: context.watchedDirectory.path
    default: nil
    }
  }
}
