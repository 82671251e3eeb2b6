import ConfigSchema
import Glibc
import Proxy
import TLS

typealias TLSCertificateProto = Envoy_Extensions_TransportSockets_Tls_V3_TlsCertificate

/// A certificate with its key, checked.
struct CheckedCertificate {
  var identity: TLSIdentity
  var facts: CertificateFacts
  /// Until its OCSP response may be shown; nil without one.
  var stapleEnds: Int64?
  /// As administrators see it, and its OCSP response.
  var path = "<inline>"
  var name = "inline"
  var staple: (from: Int64, until: Int64?)?

  var entry: TLSInventory.Entry { TLSInventory.Entry(name: name, path: path, facts: facts, staple: staple) }
}

extension CompilerPass {
  /// Days before its end that a certificate is spoken of.
  private static let expiryNoticeDays: Int64 = 14

  func certificate(_ proto: TLSCertificateProto, _ path: String) -> CheckedCertificate? {
    guard proto.hasCertificateChain else {
      error("\(path).certificate_chain", "is required")
      return nil
    }
    guard proto.hasPrivateKey else {
      error("\(path).private_key", "is required")
      return nil
    }
    if proto.hasWatchedDirectory, material == nil {
      watchedDirectories.insert(options.resolved(proto.watchedDirectory.path))
    }
    guard let chainText = bytes(proto.certificateChain, "\(path).certificate_chain"),
      let keyText = bytes(proto.privateKey, "\(path).private_key")
    else { return nil }
    var password: [UInt8] = []
    var staple: [UInt8] = []
    if proto.hasPassword {
      guard let text = bytes(proto.password, "\(path).password") else { return nil }
      password = text
    }
    if proto.hasOcspStaple {
      guard let der = bytes(proto.ocspStaple, "\(path).ocsp_staple") else { return nil }
      staple = der
    }
    let digest = ContentDigest.of(
      chainText + [0, proto.hasPassword ? 1 : 0] + password, keyText + [0, proto.hasOcspStaple ? 1 : 0] + staple)
    let entry: CertificateCache.Entry
    if let known = certificates.entry(digest, before: state.certificates) {
      entry = known
    } else {
      guard let made = check(proto, chainText, keyText, password, staple, path) else { return nil }
      // A secret keeps its own.
      if material == nil { certificates.add(made, digest) }
      entry = made
    }
    for warning in entry.chainWarnings { warn("\(path).certificate_chain", warning) }
    checkValidity(entry.certificate.facts, "\(path).certificate_chain")
    if let ends = entry.certificate.stapleEnds, ends < Int64(time(nil)) {
      warn("\(path).ocsp_staple", "the response should have been renewed on \(Self.date(ends))")
    }
    var checked = entry.certificate
    if material == nil, case .filename(let file)? = proto.certificateChain.specifier {
      checked.path = file
      checked.name = TLSInventory.name(ofFile: file)
    }
    return checked
  }

  private func check(
    _ proto: TLSCertificateProto, _ chainText: [UInt8], _ keyText: [UInt8], _ password: [UInt8], _ staple: [UInt8],
    _ path: String
  ) -> CertificateCache.Entry? {
    guard let chain = pemCertificates(chainText, proto.certificateChain, "\(path).certificate_chain"),
      let key = privateKey(keyText, password, proto, path)
    else { return nil }
    let facts: CertificateFacts
    do throws(TLSSetupError) {
      facts = try CertificateFacts(chain[0])
      guard try CertificateFacts.keyBelongs(key, to: chain[0]) else {
        error(
          path,
          "the private key does not belong to the certificate (\(name(facts))): it has another public key (\(shownSource(proto.privateKey)), \(shownSource(proto.certificateChain)))"
        )
        return nil
      }
    } catch {
      self.error("\(path).certificate_chain", "certificate 1 cannot be read (\(error.description))")
      return nil
    }
    let chainWarnings = checkChain(chain, "\(path).certificate_chain")
    guard let chainWarnings, checkStrength(facts, path) else { return nil }
    var checked = CheckedCertificate(
      identity: TLSIdentity(chain: chain, key: key), facts: facts)
    if proto.hasOcspStaple, !self.staple(staple, proto, chain[0], &checked, "\(path).ocsp_staple") { return nil }
    return CertificateCache.Entry(certificate: checked, chainWarnings: chainWarnings)
  }

  /// The subject as people know it.
  private func name(_ facts: CertificateFacts) -> String {
    facts.commonName.isEmpty ? facts.subject.isEmpty ? "no subject" : facts.subject : "CN=\(facts.commonName)"
  }

  /// What a data source is called in a sentence.
  func shownSource(_ source: Envoy_Config_Core_V3_DataSource) -> String {
    switch source.specifier {
    case .filename(let name): "\"\(shownFile(name))\""
    case .environmentVariable(let name): "$\(shown(name))"
    case .inlineString, .inlineBytes, nil: "the inline text"
    }
  }

  func pemCertificates(_ text: [UInt8], _ source: Envoy_Config_Core_V3_DataSource, _ path: String) -> [[UInt8]]? {
    do throws(PEMReader.Failure) {
      return try PEMReader.certificates(text)
    } catch {
      switch error {
      case .nothing(let begins):
        self.error(path, "\(shownSource(source)) holds no PEM certificate (it begins with \"\(shown(begins))\")")
      case .broken(let number):
        self.error(path, "\(shownSource(source)): certificate \(number) is no valid PEM")
      case .encrypted, .wrongPassword, .unreadableKey:
        self.error(path, "\(shownSource(source)) holds no PEM certificate")
      }
      return nil
    }
  }

  private func privateKey(
    _ text: [UInt8], _ passwordText: [UInt8], _ proto: TLSCertificateProto, _ path: String
  ) -> SecretBytes? {
    let place = "\(path).private_key"
    var password: SecretBytes?
    if proto.hasPassword {
      var secret = passwordText
      // A file ends with a line break that nobody typed.
      while let last = secret.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { secret.removeLast() }
      password = SecretBytes(secret)
    }
    let source = shownSource(proto.privateKey)
    do throws(PEMReader.Failure) {
      return try PEMReader.privateKey(text, password: password)
    } catch {
      switch error {
      case .nothing(let begins):
        self.error(place, "\(source) holds no PEM private key (it begins with \"\(begins)\")")
      case .encrypted: self.error(place, "the key in \(source) is encrypted and no password is given")
      case .wrongPassword: self.error("\(path).password", "does not open the key in \(source)")
      case .broken, .unreadableKey: self.error(place, "the key in \(source) cannot be read")
      }
      return nil
    }
  }

  /// What is to be said of a chain; nil after errors.
  private func checkChain(_ chain: [[UInt8]], _ path: String) -> [String]? {
    var warnings: [String] = []
    for i in chain.indices.dropFirst() {
      guard let issued = try? CertificateFacts.isIssued(chain[i - 1], by: chain[i]) else {
        error(path, "certificate \(i + 1) cannot be read")
        return nil
      }
      if issued { continue }
      let (child, parent) = (try? CertificateFacts(chain[i - 1]), try? CertificateFacts(chain[i]))
      warnings.append(
        "certificate \(i + 1) of the chain (\(parent.map(name) ?? "")) did not issue certificate \(i) (\(child.map(name) ?? "")); clients may not find the way"
      )
    }
    return warnings
  }

  private func checkValidity(_ facts: CertificateFacts, _ path: String) {
    let now = Int64(time(nil))
    if facts.notAfter < now {
      warn(path, "the certificate of \(name(facts)) expired on \(Self.date(facts.notAfter))")
    } else if facts.notBefore > now {
      warn(path, "the certificate of \(name(facts)) is not valid before \(Self.date(facts.notBefore))")
    } else if facts.notAfter - now < Self.expiryNoticeDays * 86_400 {
      let days = (facts.notAfter - now) / 86_400
      warn(
        path,
        "the certificate of \(name(facts)) expires on \(Self.date(facts.notAfter)), in \(days) day\(days == 1 ? "" : "s")")
    }
  }

  /// `2026-11-26 at 12:00:00 UTC`
  static func date(_ seconds: Int64) -> String {
    var time = time_t(seconds)
    var parts = tm()
    gmtime_r(&time, &parts)
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return
      "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) at \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) UTC"
  }

  private func checkStrength(_ facts: CertificateFacts, _ path: String) -> Bool {
    switch facts.key {
    case .rsa(let bits) where bits < 2048:
      error(path, "the RSA key has \(bits) bits; at least 2048 are needed")
    case .ecdsa(nil, _):
      error(path, "the curve of the ECDSA key is not supported; P-256, P-384 and P-521 are")
    case .other: error(path, "only RSA and ECDSA keys are supported")
    case .rsa, .ecdsa: return true
    }
    return false
  }

  private func staple(
    _ der: [UInt8], _ proto: TLSCertificateProto, _ leaf: [UInt8], _ checked: inout CheckedCertificate, _ path: String
  ) -> Bool {
    do throws(OCSPResponse.Failure) {
      let response = try OCSPResponse(der, for: leaf)
      checked.identity.staple = der
      checked.stapleEnds = response.nextUpdate ?? .max
      checked.staple = (response.thisUpdate, response.nextUpdate)
      return true
    } catch {
      switch error {
      case .unreadable: self.error(path, "\(shownSource(proto.ocspStaple)) is no OCSP response in DER")
      case .unsuccessful: self.error(path, "the responder had no answer")
      case .several: self.error(path, "the response is about several certificates")
      case .otherCertificate(let serial):
        self.error(
          path, "the response is for serial \(serial), the certificate has \(checked.facts.serial)")
      }
      return false
    }
  }
}
