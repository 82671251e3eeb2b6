import CTLSHarness

/// What OpenSSL reads in a ClientHello.
package struct ReferenceHello {
  /// Contents of the extensions; nil without them.
  package let serverName: [UInt8]?
  package let protocols: [UInt8]?

  /// nil when OpenSSL does not take the bytes for a whole hello.
  package init?(_ bytes: [UInt8]) {
    var raw = ctlsharness_hello()
    let isHello = bytes.withUnsafeBufferPointer { ctlsharness_read_hello($0.baseAddress, $0.count, &raw) == 1 }
    guard isHello else { return nil }
    serverName =
      raw.server_name_count < 0
      ? nil : withUnsafeBytes(of: raw.server_name) { Array($0.prefix(Int(raw.server_name_count))) }
    protocols =
      raw.protocols_count < 0
      ? nil : withUnsafeBytes(of: raw.protocols) { Array($0.prefix(Int(raw.protocols_count))) }
  }
}
