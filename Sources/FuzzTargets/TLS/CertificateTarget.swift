import Primitives
import TLS
import TLSHarness

extension FuzzTarget {
  /// Certificates, files with them, keys and OCSP responses. The first byte chooses: `p` PEM, `k` a key, `o` a response, else DER.
  package static let certificate = FuzzTarget(name: "certificate", bytesMax: 4_096) { bytes in
    var input = FuzzInput(bytes)
    switch input.choice() {
    case UInt8(ascii: "p"):
      let text = input.rest()
      guard let found = try? PEMReader.certificates(text) else { return }
      try require(!found.isEmpty, "nothing found")
      for der in found { try checkCertificate(der) }
    case UInt8(ascii: "k"):
      let password = SecretBytes(input.part(upTo: UInt8(ascii: "\n")))
      let text = input.rest()
      if let key = try? PEMReader.privateKey(text, password: password) { try require(key.count > 0, "an empty key") }
    case UInt8(ascii: "o"): _ = try? OCSPResponse(input.rest(), for: certificateOfResponses)
    default: try checkCertificate(input.rest())
    }
  }

  private static let certificateOfResponses = TestIdentity(.init("server")).der

  private static func checkCertificate(_ der: [UInt8]) throws {
    guard let facts = try? CertificateFacts(der) else { return }
    // RFC 2253 escapes what is not printable.
    try require(facts.subject.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }, "subject \(facts.subject)")
    try require(facts.serial.utf8.allSatisfy { "-0123456789abcdef".utf8.contains($0) }, "serial \(facts.serial)")
    guard let details = PeerDetails(der: der, captures: [.pem, .chain]) else {
      throw Violation(description: "facts without details")
    }
    defer { details.free() }
    try requireEqual(details.subject.string, facts.subject, "subject")
    try requireEqual(details.dnsNames.map(\.count).count, facts.names.count { $0.kind == .dns }, "DNS names")
    try requireEqual(details.sha256.count, 64, "digest")
    let again = try? PEMReader.certificates(details.pem.array)
    try require(again?.count == 1, "PEM written is not read")
    _ = facts.serverNames
  }
}
