import Primitives

/// The part of a TLS failure's text that is for people, and the setting that it is about.
struct TLSReason {
  /// Empty when nothing is known.
  let text: ByteView
  /// Empty when no setting decided it.
  let setting: StaticString

  /// - Parameter whole: As `%UPSTREAM_TRANSPORT_FAILURE_REASON%` has it: `TLS_error:|<number>:<library>:OPENSSL_internal:<what>:TLS_error_end`.
  init(_ whole: ByteView) {
    let mark = ByteView("OPENSSL_internal:")
    let end = ByteView(":TLS_error_end")
    var kept = whole
    if let at = Self.find(mark, in: kept) { kept = kept.dropFirst(at + mark.count) }
    if let at = Self.find(end, in: kept) { kept = kept.prefix(at) }
    text = kept
    // The words are those of `PeerRules`.
    if Self.find(ByteView("SAN matcher"), in: kept) != nil {
      setting = "match_typed_subject_alt_names"
    } else if Self.find(ByteView("verify SAN list"), in: kept) != nil {
      setting = "auto_sni_san_validation"
    } else if Self.find(ByteView("X509_verify_cert"), in: kept) != nil {
      setting = "trusted_ca"
    } else if Self.find(ByteView("cert hash and spki"), in: kept) != nil {
      setting = "verify_certificate_hash or verify_certificate_spki"
    } else if Self.find(ByteView("a version that is allowed"), in: kept) != nil {
      setting = "tls_params"
    } else {
      setting = ""
    }
  }

  private static func find(_ wanted: ByteView, in text: ByteView) -> Int? {
    guard wanted.count > 0, text.count >= wanted.count else { return nil }
    for at in 0...(text.count - wanted.count) where text.slice(from: at, to: at + wanted.count) == wanted { return at }
    return nil
  }
}
