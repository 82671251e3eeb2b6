import Primitives

/// A condition on a peer's subject alternative names. Subclasses are immutable: workers call them at the same time.
open class SubjectNameMatcher: @unchecked Sendable {
  // Sendable: what is shared does not change, and has no state here.
  public init() {}

  /// Whether one name of a certificate fulfils it.
  ///
  /// - Parameter oid: Dotted numbers, for ``SubjectNameKind/other``; else empty.
  open func matches(kind: SubjectNameKind, name: ByteView, oid: ByteView) -> Bool { false }
}

/// Exactly this name of this kind; in DNS without case, and the certificate's name may have a wildcard (RFC 6125).
public final class ExactSubjectName: SubjectNameMatcher, @unchecked Sendable {
  // Sendable: both are constants.
  private let kind: SubjectNameKind
  private let name: [UInt8]

  public init(_ kind: SubjectNameKind, _ name: String) {
    self.kind = kind
    self.name = Array(name.utf8)
  }

  override public func matches(kind: SubjectNameKind, name: ByteView, oid: ByteView) -> Bool {
    guard kind == self.kind else { return false }
    return self.name.withUnsafeBufferPointer { wanted in
      guard let base = wanted.baseAddress else { return name.isEmpty }
      let wanted = ByteView(base, wanted.count)
      return kind == .dns ? DNSName.matches(wanted, pattern: name) : name == wanted
    }
  }
}

/// Names of hosts against names of certificates.
public enum DNSName {
  /// Whether `name` is the pattern, or `*.` of the pattern stands for its first label (RFC 6125, section 6.4.3).
  public static func matches(_ name: ByteView, pattern: ByteView) -> Bool {
    if name.equalsIgnoringCase(pattern) { return name.count > 0 }
    guard pattern.count > 2, pattern[0] == UInt8(ascii: "*"), pattern[1] == UInt8(ascii: "."),
      let dot = name.firstIndex(of: UInt8(ascii: ".")), dot > 0
    else { return false }
    return name.dropFirst(dot).equalsIgnoringCase(pattern.dropFirst(1))
  }
}
