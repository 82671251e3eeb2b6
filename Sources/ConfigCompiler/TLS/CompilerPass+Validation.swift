import ConfigSchema
import Foundation
import Primitives
import Routing
import SwiftProtobuf
import TLS

typealias ValidationProto = Envoy_Extensions_TransportSockets_Tls_V3_CertificateValidationContext

/// A string matcher on names of one kind.
private final class MatchedSubjectName: SubjectNameMatcher, @unchecked Sendable {
  // Sendable: three constants; a TextMatcher does not change after it was made, and RE2 may match on many threads.
  private let kind: SubjectNameKind
  private let oid: [UInt8]
  private let text: TextMatcher

  init(_ kind: SubjectNameKind, oid: String, _ text: TextMatcher) {
    self.kind = kind
    self.oid = Array(oid.utf8)
    self.text = text
  }

  override func matches(kind: SubjectNameKind, name: ByteView, oid: ByteView) -> Bool {
    guard kind == self.kind else { return false }
    if kind == .other, !self.oid.isEmpty {
      let isSame = self.oid.withUnsafeBufferPointer { wanted in
        wanted.baseAddress.map { ByteView($0, wanted.count) == oid } ?? false
      }
      if !isSame { return false }
    }
    return text.matches(name)
  }
}

extension CompilerPass {
  static let systemRoots = "/etc/ssl/certs/ca-certificates.crt"

  /// What peers must be; nil after errors.
  ///
  /// - Parameters:
  ///   - material: Gets the bytes of files, which are part of what the rules are.
  func peerRules(
    _ proto: ValidationProto, requiresCertificate: Bool, _ path: String, material: inout [UInt8]
  ) -> PeerRules? {
    if !proto.matchSubjectAltNames.isEmpty {
      error("\(path).match_subject_alt_names", "is deprecated; use match_typed_subject_alt_names")
    }
    if proto.hasWatchedDirectory, self.material == nil {
      watchedDirectories.insert(options.resolved(proto.watchedDirectory.path))
    }
    var isGood = true
    var store: TrustStore?
    if proto.hasTrustedCa || proto.hasSystemRootCerts {
      store = trustStore(proto, path, &material)
      if store == nil { isGood = false }
    } else if proto.hasCrl {
      error("\(path).crl", "needs trusted_ca")
      isGood = false
    }
    let matchers = subjectNames(proto, path)
    if matchers == nil { isGood = false }
    if store == nil, !proto.matchTypedSubjectAltNames.isEmpty {
      warn(
        "\(path).match_typed_subject_alt_names", "without trusted_ca anybody can present these names")
    }
    let digests = proto.verifyCertificateHash.enumerated().map {
      digest($0.element, "\(path).verify_certificate_hash[\($0.offset)]")
    }
    let keys = proto.verifyCertificateSpki.enumerated().map {
      keyDigest($0.element, "\(path).verify_certificate_spki[\($0.offset)]")
    }
    guard isGood, !digests.contains(nil), !keys.contains(nil) else { return nil }
    return PeerRules(
      store: store,
      depthMax: proto.hasMaxVerifyDepth ? Int(proto.maxVerifyDepth.value) : PeerRules.depthMax,
      allowsExpired: proto.allowExpiredCertificate, checksLeafCRLOnly: proto.onlyVerifyLeafCertCrl,
      acceptsUntrusted: proto.trustChainVerification == .acceptUntrusted, matchers: matchers ?? [],
      certificateDigests: digests.compactMap { $0 }, keyDigests: keys.compactMap { $0 },
      requiresCertificate: requiresCertificate)
  }

  private func trustStore(
    _ proto: ValidationProto, _ path: String, _ material: inout [UInt8]
  ) -> TrustStore? {
    var source = proto.trustedCa
    var place = "\(path).trusted_ca"
    if proto.hasSystemRootCerts {
      source.filename = Self.systemRoots
      place = "\(path).system_root_certs"
    }
    guard let text = bytes(source, place) else { return nil }
    var listText: [UInt8] = []
    if proto.hasCrl {
      guard let text = bytes(proto.crl, "\(path).crl") else { return nil }
      listText = text
    }
    let digest = ContentDigest.of(text, listText)
    material += digest
    if let known = certificates.store(digest, before: state.certificates) { return known }
    guard let authorities = pemCertificates(text, source, place) else { return nil }
    var lists: [[UInt8]] = []
    if proto.hasCrl {
      lists = (try? PEMReader.revocationLists(listText)) ?? []
      if lists.isEmpty {
        error("\(path).crl", "\(shownSource(proto.crl)) holds no certificate revocation list")
        return nil
      }
    }
    do throws(TLSSetupError) {
      let store = try TrustStore(certificates: authorities, revocationLists: lists)
      certificates.add(store, digest)
      return store
    } catch {
      self.error(place, "\(shownSource(source)): \(error.description)")
      return nil
    }
  }

  private func subjectNames(_ proto: ValidationProto, _ path: String) -> [SubjectNameMatcher]? {
    var matchers: [SubjectNameMatcher] = []
    var isGood = true
    for (index, name) in proto.matchTypedSubjectAltNames.enumerated() {
      let place = "\(path).match_typed_subject_alt_names[\(index)]"
      guard let kind = SubjectNameKind(rawValue: UInt8(truncatingIfNeeded: name.sanType.rawValue)) else { continue }
      if kind == .dns, case .exact(let text)? = name.matcher.matchPattern {
        matchers.append(ExactSubjectName(.dns, text))
        continue
      }
      do {
        let text = try TextMatcher(compiling: matcher(name.matcher), ignoresCase: name.matcher.ignoreCase)
        matchers.append(MatchedSubjectName(kind, oid: name.oid, text))
      } catch {
        self.error("\(place).matcher", "\(error)")
        isGood = false
      }
    }
    return isGood ? matchers : nil
  }

  private func digest(_ text: String, _ path: String) -> [UInt8]? {
    let digits = text.utf8.filter { $0 != UInt8(ascii: ":") }
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in digits {
      guard let value = Character(UnicodeScalar(digit)).hexDigitValue else { break }
      if let first = high {
        bytes.append(first << 4 | UInt8(value))
        high = nil
      } else {
        high = UInt8(value)
      }
    }
    guard bytes.count == 32, digits.count == 64 else {
      error(path, "\"\(shown(text))\" is not 64 hexadecimal digits, with or without colons")
      return nil
    }
    return bytes
  }

  private func keyDigest(_ text: String, _ path: String) -> [UInt8]? {
    guard let data = Data(base64Encoded: text), data.count == 32 else {
      error(path, "\"\(shown(text))\" is not the base64 of a SHA-256 digest")
      return nil
    }
    return Array(data)
  }
}
