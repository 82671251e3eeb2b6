import ConfigSchema
import Glibc
import TLS

typealias TLSCertificateProto = Envoy_Extensions_TransportSockets_Tls_V3_TlsCertificate

/// A certificate with its key, checked.
struct CheckedCertificate {
  var identity: TLSIdentity
  var facts: CertificateFacts
  /// Until its OCSP response may be shown; nil without one.
  var stapleEnds: Int64?
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
    guard let chain = pemCertificates(proto.certificateChain, "\(path).certificate_chain"),
      let key = privateKey(proto, path)
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
    checkChain(chain, "\(path).certificate_chain")
    checkValidity(facts, "\(path).certificate_chain")
    guard checkStrength(facts, path) else { return nil }
    var checked = CheckedCertificate(
      identity: TLSIdentity(chain: chain, key: key), facts: facts)
    if proto.hasOcspStaple, !staple(proto, chain[0], &checked, "\(path).ocsp_staple") { return nil }
    return checked
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

  func pemCertificates(_ source: Envoy_Config_Core_V3_DataSource, _ path: String) -> [[UInt8]]? {
    guard let text = bytes(source, path) else { return nil }
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

  private func privateKey(_ proto: TLSCertificateProto, _ path: String) -> SecretBytes? {
    let place = "\(path).private_key"
    guard let text = bytes(proto.privateKey, place) else { return nil }
    var password: SecretBytes?
    if proto.hasPassword {
      guard var secret = bytes(proto.password, "\(path).password") else { return nil }
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

  private func checkChain(_ chain: [[UInt8]], _ path: String) {
    for i in chain.indices.dropFirst() {
      guard let issued = try? CertificateFacts.isIssued(chain[i - 1], by: chain[i]) else {
        error(path, "certificate \(i + 1) cannot be read")
        return
      }
      if issued { continue }
      let (child, parent) = (try? CertificateFacts(chain[i - 1]), try? CertificateFacts(chain[i]))
      warn(
        path,
        "certificate \(i + 1) of the chain (\(parent.map(name) ?? "")) did not issue certificate \(i) (\(child.map(name) ?? "")); clients may not find the way"
      )
    }
  }

  private func checkValidity(_ facts: CertificateFacts, _ path: String) {
    let now = Int64(time(nil))
    if facts.notAfter < now {
      warn(path, "the certificate of \(name(facts)) expired on \(date(facts.notAfter))")
    } else if facts.notBefore > now {
      warn(path, "the certificate of \(name(facts)) is not valid before \(date(facts.notBefore))")
    } else if facts.notAfter - now < Self.expiryNoticeDays * 86_400 {
      let days = (facts.notAfter - now) / 86_400
      warn(
        path,
        "the certificate of \(name(facts)) expires on \(date(facts.notAfter)), in \(days) day\(days == 1 ? "" : "s")")
    }
  }

  /// `2026-11-26 at 12:00:00 UTC`
  private func date(_ seconds: Int64) -> String {
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
    _ proto: TLSCertificateProto, _ leaf: [UInt8], _ checked: inout CheckedCertificate, _ path: String
  ) -> Bool {
    guard let der = bytes(proto.ocspStaple, path) else { return false }
    do throws(OCSPResponse.Failure) {
      let response = try OCSPResponse(der, for: leaf)
      checked.identity.staple = der
      checked.stapleEnds = response.nextUpdate ?? .max
      if let next = response.nextUpdate, next < Int64(time(nil)) {
        warn(path, "the response should have been renewed on \(date(next))")
      }
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
