import TLS

/// A certificate with its key, as PEM.
struct SimulatedIdentity {
  let certificate: String
  let key: String

  /// For the library.
  var identity: TLSIdentity {
    get throws {
      TLSIdentity(
        chain: try PEMReader.certificates(Array(certificate.utf8)),
        key: try PEMReader.privateKey(Array(key.utf8), password: nil))
    }
  }

  /// For a configuration: an entry of `tls_certificates`, in one line.
  var text: String {
    "{ certificate_chain: { inline_string: \(Self.quoted(certificate)) }, private_key: { inline_string: \(Self.quoted(key)) } }"
  }

  /// A text of several lines in one.
  static func quoted(_ text: String) -> String {
    "\"\(text.split(separator: "\n").joined(separator: "\\n"))\\n\""
  }
}
