import ConfigLoader
import ConfigSchema
import Foundation
import SwiftProtobuf
import TLS

extension CompilerPass {
  /// The certificate that a context takes from elsewhere; nil after errors.
  func certificateSecret(_ config: SecretConfigProto, _ path: String) -> CheckedCertificate? {
    guard let content = secret(config, path) else { return nil }
    if case .certificate(var certificate) = content {
      certificate.name = config.name
      return certificate
    }
    reportKind(content, config, "tls_certificate", path)
    return nil
  }

  func validationSecret(_ config: SecretConfigProto, _ path: String) -> ValidationProto? {
    guard let content = secret(config, path) else { return nil }
    if case .validation(let validation) = content { return validation }
    reportKind(content, config, "validation_context", path)
    return nil
  }

  func ticketKeySecret(_ config: SecretConfigProto, _ path: String) -> CheckedTicketKeys? {
    guard let content = secret(config, path) else { return nil }
    if case .ticketKeys(let keys) = content { return keys }
    reportKind(content, config, "session_ticket_keys", path)
    return nil
  }

  private func reportKind(_ content: SecretContent, _ config: SecretConfigProto, _ wanted: String, _ path: String) {
    error("\(path).name", "\"\(shown(config.name))\" holds \(content.field), \(wanted) is needed here")
  }

  private func secret(_ config: SecretConfigProto, _ path: String) -> SecretContent? {
    if let key = SecretKey(config) { return secret(key, path)?.content }
    guard let known = staticSecrets[config.name] else {
      let hint = closest(to: config.name, among: Set(staticSecrets.keys)).map { "; did you mean \"\(shown($0))\"?" }
      error("\(path).name", "no secret \"\(shown(config.name))\" in static_resources.secrets\(hint ?? "")")
      return nil
    }
    // What is wrong with it has been said.
    return known
  }

  // MARK: In the configuration

  /// Checks `static_resources.secrets`, each once.
  func checkStaticSecrets() {
    for (index, proto) in loaded.bootstrap.staticResources.secrets.enumerated() {
      let path = "static_resources.secrets[\(index)]"
      if proto.name.isEmpty {
        error("\(path).name", "is required: contexts refer to it")
      } else if staticSecrets[proto.name] != nil {
        error("\(path).name", "\"\(shown(proto.name))\" is already used by another secret")
      } else {
        staticSecrets[proto.name] = .some(content(proto, path))
      }
    }
  }

  // MARK: In files

  /// A secret from a file, checked once in a pass; nil after errors.
  ///
  /// - Parameter path: Of the `SdsSecretConfig`; nil when no one asks but the secret's own file.
  func secret(_ key: SecretKey, _ path: String?) -> CheckedSecret? {
    if let known = secrets[key] { return known }
    let reading: Result<SecretMaterial, SecretFailure>
    if let read = batch[key] {
      reading = read
    } else if keepsSecrets, let record = state.secrets[key] {
      return record.checked
    } else {
      reading = SecretReader(options).read([key])[key] ?? .failure(SecretFailure(isUnreadable: true, diagnostics: []))
    }
    let checked: CheckedSecret?
    switch reading {
    case .success(let material): checked = check(material, key)
    case .failure(let failure):
      if let path { error("\(path).sds_config", "the secret \"\(shown(key.name))\" cannot be had") }
      for diagnostic in failure.diagnostics { add(diagnostic) }
      checked = nil
    }
    secrets[key] = .some(checked)
    return checked
  }

  private func check(_ material: SecretMaterial, _ key: SecretKey) -> CheckedSecret? {
    let digest = material.digest
    if var same = state.secrets[key]?.checked, same.digest == digest {
      same.version = material.version
      return same
    }
    for diagnostic in material.document.diagnostics { add(diagnostic) }
    return within(material) {
      content(material.secret, material.place).map {
        CheckedSecret(digest: digest, version: material.version, content: $0, filePlaces: material.filePlaces(options))
      }
    }
  }

  private func content(_ proto: SecretProto, _ path: String) -> SecretContent? {
    switch proto.type {
    case .tlsCertificate(let certificate):
      return self.certificate(certificate, "\(path).tls_certificate").map { .certificate($0) }
    case .validationContext(let validation):
      let place = "\(path).validation_context"
      var ignored: [UInt8] = []
      guard peerRules(validation, requiresCertificate: false, place, material: &ignored) != nil else { return nil }
      return inlined(validation, place).map { .validation($0) }
    case .sessionTicketKeys(let keys):
      return ticketKeys(keys, "\(path).session_ticket_keys").map { .ticketKeys($0) }
    case nil:
      error(path, "holds no secret: tls_certificate, validation_context and session_ticket_keys are known")
      return nil
    }
  }

  /// The same with what its files hold instead of their names, so that it stays what was checked.
  private func inlined(_ proto: ValidationProto, _ path: String) -> ValidationProto? {
    var validation = proto
    if proto.hasTrustedCa {
      guard let text = bytes(proto.trustedCa, "\(path).trusted_ca") else { return nil }
      validation.trustedCa.inlineBytes = .init(text)
    }
    if proto.hasCrl {
      guard let text = bytes(proto.crl, "\(path).crl") else { return nil }
      validation.crl.inlineBytes = .init(text)
    }
    return validation
  }
}

extension SecretMaterial {
  /// Where its files are: whatever is moved there may be one of them.
  func filePlaces(_ options: CompilerOptions) -> Set<WatchedPlace> {
    if let directory = secret.watchedDirectory {
      return [WatchedPlace(directory: options.resolved(directory))]
    }
    return Set(secret.filenames.map { WatchedPlace(directory: WatchedPlace.directory(of: options.resolved($0))) })
  }
}
