import Primitives

/// What logs and headers say of a certificate of ours; made when it is loaded.
public struct OwnCertificateTexts: Sendable {
  /// RFC 2253.
  public let subject: [UInt8]
  /// Subject alternative names by kind, in order.
  private let names: [SubjectNameKind: [[UInt8]]]

  public init(_ facts: CertificateFacts) {
    subject = Array(facts.subject.utf8)
    names = Dictionary(grouping: facts.names, by: \.kind).mapValues { $0.map { Array($0.text.utf8) } }
  }

  public func names(_ kind: SubjectNameKind) -> [[UInt8]] { names[kind] ?? [] }
}
