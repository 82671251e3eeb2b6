import ConfigLoader
import ConfigSchema
import Glibc
import HTTPCore
import Primitives
import Proxy
import SwiftProtobuf
import TLS

typealias DownstreamTLSProto = Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext
typealias UpstreamTLSProto = Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext
typealias CommonTLSProto = Envoy_Extensions_TransportSockets_Tls_V3_CommonTlsContext

/// Transport sockets.
extension CompilerPass {
  enum TransportSocket<Context> {
    case plain
    case tls(Context)
    case wrong
  }

  func downstreamTransport(
    _ proto: Envoy_Config_Core_V3_TransportSocket, _ path: String
  ) -> TransportSocket<DownstreamTLSProto> {
    transport(proto, as: DownstreamTLSProto.self, "is for clusters; a listener needs DownstreamTlsContext", path)
  }

  func upstreamTransport(
    _ proto: Envoy_Config_Core_V3_TransportSocket, _ path: String
  ) -> TransportSocket<UpstreamTLSProto> {
    transport(proto, as: UpstreamTLSProto.self, "is for listeners; a cluster needs UpstreamTlsContext", path)
  }

  private func transport<Context: Message>(
    _ proto: Envoy_Config_Core_V3_TransportSocket, as type: Context.Type, _ wrongSide: String, _ path: String
  ) -> TransportSocket<Context> {
    guard case .typedConfig(let any)? = proto.configType else {
      error("\(path).typed_config", "is required")
      return .wrong
    }
    let place = "\(path).typed_config"
    if any.unpacked(as: Envoy_Extensions_TransportSockets_RawBuffer_V3_RawBuffer.self) != nil { return .plain }
    if let context = any.unpacked(as: type) { return .tls(context) }
    if any.messageName == DownstreamTLSProto.protoMessageName || any.messageName == UpstreamTLSProto.protoMessageName {
      error(place, "\"\(shown(any.messageName))\" \(wrongSide)")
    } else {
      error(place, "\"\(shown(any.messageName))\" is not a transport socket")
    }
    return .wrong
  }

  // MARK: Downstream

  /// What a listener's chain presents and asks; nil after errors.
  ///
  /// - Parameter serverNames: Names that choose the chain: a ticket of one chain is none for another.
  func serverTLS(_ proto: DownstreamTLSProto, serverNames: [String], _ path: String) -> TLSServerConfig? {
    let common = proto.commonTlsContext
    let place = "\(path).common_tls_context"
    refuse("\(path).require_sni", if: proto.requireSni.value)
    guard !common.tlsCertificates.isEmpty || !common.tlsCertificateSdsSecretConfigs.isEmpty else {
      error(place, "a listener needs at least one certificate")
      return nil
    }
    var options = TLSContextOptions(isServer: true)
    var isGood = parameters(common, &options, maximum: 0x0304, place)
    let certificates = identities(common, place)
    // What a client has proven in a handshake, which a ticket of it stands for.
    var proven = [proto.requireClientCertificate.value ? 1 : 0] as [UInt8]
    let validation = validation(common, place)
    if let validation {
      if let rules = validation.rules(
        self, requiresCertificate: proto.requireClientCertificate.value, material: &proven)
      {
        options.rules = rules
      } else {
        isGood = false
      }
    } else if common.validationContextType != nil {
      isGood = false
    } else if proto.requireClientCertificate.value {
      error("\(path).require_client_certificate", "needs a validation_context that says whom to believe")
      isGood = false
    }
    options.prefersClientCiphers = proto.preferClientCiphers
    if proto.hasSessionTimeout {
      options.lifetimeSeconds = UInt32(clamping: nanoseconds(proto.sessionTimeout, "\(path).session_timeout") / 1_000_000_000)
    }
    var material = proven
    if !tickets(proto, &options, path, material: &material) { isGood = false }
    let log = keyLog(common, place)
    guard isGood, let certificates, let encoded: [UInt8] = try? proto.serializedBytes() else { return nil }
    var inventory = TLSInventory()
    inventory.certificates = certificates.map(\.entry)
    inventory.authority = authority(validation, options.rules)
    options.idContext = Self.idContext(certificates.map(\.facts), serverNames: serverNames, proven)
    material += options.idContext
    let policy: StaplePolicy =
      switch proto.ocspStaplePolicy {
      case .lenientStapling, .UNRECOGNIZED: .lenient
      case .strictStapling: .strict
      case .mustStaple: .must
      }
    for certificate in certificates {
      material += certificate.identity.chain.joined() + certificate.facts.keyDigest
      material += certificate.identity.staple ?? []
    }
    for (index, certificate) in certificates.enumerated()
    where certificate.identity.staple == nil && (policy == .must || certificate.facts.mustStaple) {
      error(
        common.tlsCertificates.isEmpty
          ? "\(place).tls_certificate_sds_secret_configs[\(index)]" : "\(place).tls_certificates[\(index)].ocsp_staple",
        "an ocsp_staple is required: the certificate must not be shown without")
      return nil
    }
    let entries = certificates.map { certificate in
      var curve: CurveSet?
      if case .ecdsa(let known, _) = certificate.facts.key { curve = known }
      var entry = CertificateTable.Entry(serverNames: certificate.facts.serverNames, curve: curve)
      entry.mustStaple = certificate.facts.mustStaple
      entry.stapleEnds = certificate.stapleEnds
      return entry
    }
    return TLSServerConfig(
      digest: ContentDigest.of(encoded, material),
      certificates: certificates.map {
        var own = options
        own.identity = $0.identity
        own.ownTexts = OwnCertificateTexts($0.facts)
        return own
      },
      table: CertificateTable(entries, policy: policy, scansAll: proto.fullScanCertsOnSniMismatch.value),
      versionMax: options.versionMax, keyLog: log, inventory: inventory)
  }

  /// What a ticket is good for, by Envoy's rule: servers of the same names and issuers that ask the same of clients.
  /// So tickets outlive a renewed certificate, but not a changed authority or list of names.
  private static func idContext(
    _ certificates: [CertificateFacts], serverNames: [String], _ proven: [UInt8]
  ) -> [UInt8] {
    var text: [UInt8] = []
    func add(_ part: String) { text += Array(part.utf8) + [0] }
    for facts in certificates {
      add(facts.commonName)
      for name in facts.names where [.dns, .uri, .ip].contains(name.kind) { add(name.text) }
      add(facts.issuer)
    }
    for name in serverNames { add(name) }
    return ContentDigest.of(text, proven)
  }

  private func tickets(
    _ proto: DownstreamTLSProto, _ options: inout TLSContextOptions, _ path: String, material: inout [UInt8]
  ) -> Bool {
    switch proto.sessionTicketKeysType {
    case .disableStatelessSessionResumption(true):
      options.tickets = 0
      return true
    case .sessionTicketKeys(let protos):
      guard let keys = ticketKeys(protos, "\(path).session_ticket_keys") else { return false }
      return use(keys, &options, &material)
    case .sessionTicketKeysSdsSecretConfig(let config):
      guard let keys = ticketKeySecret(config, "\(path).session_ticket_keys_sds_secret_config") else { return false }
      return use(keys, &options, &material)
    case .disableStatelessSessionResumption, nil:
      options.keyring = sharedTicketKeys()
      return true
    }
  }

  private func use(_ keys: CheckedTicketKeys, _ options: inout TLSContextOptions, _ material: inout [UInt8]) -> Bool {
    guard let ring = try? TicketKeyring() else { return false }
    ring.publish(keys.keys, now: 0)
    options.keyring = ring
    material += keys.digest
    return true
  }

  func ticketKeys(
    _ protos: Envoy_Extensions_TransportSockets_Tls_V3_TlsSessionTicketKeys, _ path: String
  ) -> CheckedTicketKeys? {
    var checked = CheckedTicketKeys(keys: [], digest: [])
    for (index, source) in protos.keys.enumerated() {
      let place = "\(path).keys[\(index)]"
      guard let bytes = bytes(source, place) else { return nil }
      guard let key = TicketKey(bytes) else {
        error(place, "has \(bytes.count) bytes; a ticket key has exactly 80 (openssl rand 80)")
        return nil
      }
      checked.keys.append(key)
      checked.digest = ContentDigest.of(checked.digest, bytes)
    }
    return checked
  }

  /// The process's own keys; main turns them.
  private func sharedTicketKeys() -> TicketKeyring? {
    if let ring = state.ticketKeys { return ring }
    guard let ring = try? TicketKeyring(), (try? ring.turn(now: Int64(time(nil)))) != nil else { return nil }
    state.ticketKeys = ring
    return ring
  }

  // MARK: Upstream

  /// What a cluster presents to its hosts and asks of them; nil after errors.
  ///
  /// - Parameter protocols: What is offered (ALPN) when the context does not say.
  func clientTLS(
    _ proto: UpstreamTLSProto, _ http: Envoy_Config_Core_V3_UpstreamHttpProtocolOptions, protocols: [String],
    _ path: String
  ) -> TLSClientConfig? {
    let common = proto.commonTlsContext
    let place = "\(path).common_tls_context"
    refuse("\(path).allow_renegotiation", if: proto.allowRenegotiation)
    var material: [UInt8] = []
    var options = TLSContextOptions(isServer: false)
    var isGood = parameters(common, &options, maximum: 0x0303, place)
    if options.protocols.isEmpty { options.protocols = Self.wireForm(protocols) }
    if common.tlsCertificates.count + common.tlsCertificateSdsSecretConfigs.count > 1 {
      let field = common.tlsCertificates.count > 1 ? "tls_certificates" : "tls_certificate_sds_secret_configs"
      error("\(place).\(field)", "a cluster presents one certificate")
      isGood = false
    }
    var entries: [TLSInventory.Entry] = []
    if let identities = identities(common, place) {
      if let checked = identities.first {
        entries = [checked.entry]
        options.identity = checked.identity
        options.ownTexts = OwnCertificateTexts(checked.facts)
        material += checked.identity.chain.joined() + checked.facts.keyDigest
      }
    } else {
      isGood = false
    }
    var hasCA = false
    let validation = validation(common, place)
    if let validation {
      hasCA = validation.proto.hasTrustedCa || validation.proto.hasSystemRootCerts
      options.rules = validation.rules(self, requiresCertificate: false, material: &material)
      if options.rules == nil { isGood = false }
    } else if common.validationContextType != nil {
      isGood = false
    }
    if isGood, !hasCA { warn(path, "hosts are not verified: no trusted_ca") }
    let expectsName = http.autoSanValidation || proto.autoSniSanValidation
    if isGood, expectsName, !hasCA {
      error(path, "auto_san_validation needs a validation_context with trusted_ca")
      isGood = false
    }
    let log = keyLog(common, place)
    var inventory = TLSInventory()
    inventory.certificates = entries
    inventory.authority = authority(validation, options.rules)
    options.tickets = proto.hasMaxSessionKeys && proto.maxSessionKeys.value == 0 ? 0 : 1
    guard isGood, let encoded: [UInt8] = try? proto.serializedBytes() else { return nil }
    let digest = ContentDigest.of(encoded, material)
    options.idContext = digest
    return TLSClientConfig(
      digest: digest, options: options, serverName: Array(proto.sni.lowercased().utf8),
      takesNameFromEndpoint: proto.autoHostSni, expectsName: expectsName, keyLog: log, inventory: inventory)
  }

  // MARK: Both

  /// Where secrets of connections go; nil for nowhere, or after errors.
  private func keyLog(_ common: CommonTLSProto, _ path: String) -> TLSKeyLog? {
    guard common.hasKeyLog else { return nil }
    let proto = common.keyLog
    let place = "\(path).key_log"
    let resolved = options.resolved(proto.path)
    if let problem = LogPath.problem(resolved) {
      error("\(place).path", problem)
      return nil
    }
    warn(place, "whoever reads \(shownFile(proto.path)) can read the traffic")
    let local = ranges(proto.localAddressRange, "\(place).local_address_range")
    let remote = ranges(proto.remoteAddressRange, "\(place).remote_address_range")
    return logTarget(.privateFile(path: resolved), place).map { TLSKeyLog(target: $0, local: local, remote: remote) }
  }

  private func authority(_ validation: Validation?, _ rules: PeerRules?) -> TLSInventory.Entry? {
    guard let validation, let facts = rules?.store?.first else { return nil }
    return TLSInventory.Entry(name: validation.name, path: validation.proto.authorityPath, facts: facts)
  }

  /// The certificates that a side presents; nil after errors.
  private func identities(_ common: CommonTLSProto, _ path: String) -> [CheckedCertificate]? {
    let own = common.tlsCertificates
    let secrets = common.tlsCertificateSdsSecretConfigs
    if !own.isEmpty, !secrets.isEmpty {
      error("\(path).tls_certificate_sds_secret_configs", "tls_certificates are given too; one of the two is needed")
      return nil
    }
    let checked =
      own.enumerated().compactMap { certificate($0.element, "\(path).tls_certificates[\($0.offset)]") }
      + secrets.enumerated().compactMap {
        certificateSecret($0.element, "\(path).tls_certificate_sds_secret_configs[\($0.offset)]")
      }
    return checked.count < own.count + secrets.count ? nil : checked
  }

  /// What peers are checked by, wherever it comes from; nil for nothing, or after errors.
  private func validation(_ common: CommonTLSProto, _ path: String) -> Validation? {
    switch common.validationContextType {
    case .validationContext(let proto):
      return Validation(proto: proto, path: "\(path).validation_context", name: proto.authorityName)
    case .validationContextSdsSecretConfig(let config):
      let place = "\(path).validation_context_sds_secret_config"
      return validationSecret(config, place).map {
        Validation(proto: $0, path: place, name: config.name)
      }
    case .combinedValidationContext(let combined):
      let place = "\(path).combined_validation_context"
      guard
        let secret = validationSecret(
          combined.validationContextSdsSecretConfig, "\(place).validation_context_sds_secret_config")
      else { return nil }
      var merged = combined.defaultValidationContext
      // Protobuf's rules: single fields of the secret win, lists are appended.
      guard let bytes: [UInt8] = try? secret.serializedBytes(), (try? merged.merge(serializedBytes: bytes)) != nil
      else { return nil }
      return Validation(
        proto: merged, path: "\(place).default_validation_context",
        name: combined.validationContextSdsSecretConfig.name)
    case nil: return nil
    }
  }

  /// A validation context and where errors about it belong.
  private struct Validation {
    let proto: ValidationProto
    let path: String
    /// Of its authority, in statistics.
    let name: String

    /// - Parameter material: Gets what the rules are made of.
    func rules(_ pass: CompilerPass, requiresCertificate: Bool, material: inout [UInt8]) -> PeerRules? {
      var bare = proto
      // The content of files counts, not their names.
      bare.clearTrustedCa()
      bare.clearCrl()
      bare.clearWatchedDirectory()
      material += (try? bare.serializedBytes()) ?? []
      return pass.peerRules(proto, requiresCertificate: requiresCertificate, path, material: &material)
    }
  }

  /// AES-128 first, as Envoy on machines with AES instructions: less work, and as good.
  private static let suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

  private func parameters(
    _ common: CommonTLSProto, _ options: inout TLSContextOptions, maximum: UInt16, _ path: String
  ) -> Bool {
    options.suitesOfTLS13 = Self.suites
    let place = "\(path).tls_params"
    var isGood = true
    switch common.tlsParams.tlsMinimumProtocolVersion {
    case .tlsAuto, .tlsv12, .UNRECOGNIZED: options.versionMin = 0x0303
    case .tlsv13: options.versionMin = 0x0304
    case .tlsv10, .tlsv11:
      error("\(place).tls_minimum_protocol_version", "TLS 1.0 and 1.1 are not supported; the least is TLSv1_2")
      isGood = false
    }
    switch common.tlsParams.tlsMaximumProtocolVersion {
    case .tlsAuto, .UNRECOGNIZED: options.versionMax = max(maximum, options.versionMin)
    case .tlsv12: options.versionMax = 0x0303
    case .tlsv13: options.versionMax = 0x0304
    case .tlsv10, .tlsv11:
      error("\(place).tls_maximum_protocol_version", "TLS 1.0 and 1.1 are not supported; the least is TLSv1_2")
      isGood = false
    }
    if options.versionMin > options.versionMax {
      error(place, "the minimum version is above the maximum")
      isGood = false
    }
    if let ciphers = ciphers(common.tlsParams.cipherSuites, "\(place).cipher_suites") {
      options.ciphers = ciphers
    } else {
      isGood = false
    }
    if let groups = groups(common.tlsParams.ecdhCurves, "\(place).ecdh_curves") {
      options.groups = groups
    } else {
      isGood = false
    }
    for (index, name) in common.tlsParams.signatureAlgorithms.enumerated()
    where !TLSNames.signatures.contains(where: { "\($0.name)" == name }) {
      error(
        "\(place).signature_algorithms[\(index)]",
        "\"\(shown(name))\" is not supported; \(TLSNames.signatures.map { "\($0.name)" }.joined(separator: ", ")) are")
      isGood = false
    }
    if !common.tlsParams.signatureAlgorithms.isEmpty {
      options.signatures = common.tlsParams.signatureAlgorithms.joined(separator: ":")
    }
    options.protocols = Self.wireForm(common.alpnProtocols)
    return isGood
  }

  /// What Envoy offers and accepts for TLS 1.2 when nothing is said.
  private static let ciphersDefault =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"

  /// OpenSSL's list; nil after errors.
  private func ciphers(_ names: [String], _ path: String) -> String? {
    if names.isEmpty { return Self.ciphersDefault }
    var list: [String] = []
    for (index, text) in names.enumerated() where text != "-ALL" {
      // BoringSSL's groups of equal preference, as a plain order.
      for name in text.split(whereSeparator: { "[]|".contains($0) }).map(String.init) {
        guard let suite = CipherNames.suite(named: name) else {
          error("\(path)[\(index)]", "\"\(shown(name))\" is not a cipher suite")
          return nil
        }
        if suite.number >> 8 == 0x13 {
          error("\(path)[\(index)]", "the suites of TLS 1.3 cannot be chosen")
          return nil
        }
        list.append("\(suite.name)")
      }
    }
    return list.joined(separator: ":")
  }

  private func groups(_ names: [String], _ path: String) -> String? {
    if names.isEmpty { return "X25519:P-256" }
    let known = ["X25519", "P-256", "P-384", "P-521"]
    for (index, name) in names.enumerated() where !known.contains(name) {
      error("\(path)[\(index)]", "\"\(shown(name))\" is not supported; \(known.joined(separator: ", ")) are")
      return nil
    }
    return names.joined(separator: ":")
  }

  /// ALPN: each name behind a byte with its length (RFC 7301 section 3.1).
  static func wireForm(_ names: [String]) -> [UInt8] {
    names.flatMap { [UInt8(truncatingIfNeeded: $0.utf8.count)] + Array($0.utf8) }
  }
}

extension ValidationProto {
  /// As administrators see it.
  fileprivate var authorityPath: String {
    if hasSystemRootCerts { return CompilerPass.systemRoots }
    if case .filename(let name)? = trustedCa.specifier { return name }
    return "<inline>"
  }

  fileprivate var authorityName: String { TLSInventory.name(ofFile: authorityPath) }
}

extension TLSInventory {
  /// What statistics call a certificate without a secret's name: its file, without directories and dots.
  static func name(ofFile path: String) -> String {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    return path == "<inline>" ? "inline" : String(name.map { $0 == "." ? "_" : $0 })
  }
}
