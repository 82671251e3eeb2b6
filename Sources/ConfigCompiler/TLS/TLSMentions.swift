import ConfigSchema
import Format
import HTTPCore
import SwiftProtobuf

/// What formats of a listener ask of TLS connections and of failures, so that nothing is kept that nobody asks for. It may be
/// more than is asked: names count wherever they stand.
struct TLSMentions: Equatable {
  var downstream: TLSDetailNeeds = []
  /// Nil: no format asks about TLS to hosts.
  var upstream: TLSDetailNeeds?
  /// `%APUS_FAILURE%`
  var failures = false

  init() {}

  /// Looks for names of operators in the texts of a listener. It may have ten thousand routes, so in one go.
  init(_ proto: Envoy_Config_Listener_V3_Listener) {
    guard let bytes: [UInt8] = try? proto.serializedBytes() else { return }
    bytes.withUnsafeBufferPointer { bytes in
      var at = 0
      while at < bytes.count {
        defer { at += 1 }
        if bytes[at] == UInt8(ascii: "A"), Self.stands("APUS_FAILURE", in: bytes, at) { failures = true }
        guard bytes[at] == UInt8(ascii: "S"), Self.stands("STREAM_", in: bytes, at) else { continue }
        if Self.stands("DOWN", in: bytes, at - 4) {
          downstream.formUnion(Self.needs(bytes, at + 7) ?? [])
        } else if Self.stands("UP", in: bytes, at - 2), let asked = Self.needs(bytes, at + 7) {
          upstream = (upstream ?? []).union(asked)
        }
      }
    }
  }

  /// What the rest of an operator's name, behind its side, asks for; nil when it is not about TLS.
  private static func needs(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int) -> TLSDetailNeeds? {
    let names: [(StaticString, TLSDetailNeeds)] = [
      ("PEER_CERT_V_", .validity), ("PEER_CERT%", .pem), ("PEER_CERT:", .pem), ("PEER_CHAIN_", .chain), ("PEER_", []),
      ("LOCAL_SUBJECT", .local), ("LOCAL_URI_SAN", .local), ("LOCAL_DNS_SAN", .local), ("LOCAL_IP_SAN", .local),
      ("LOCAL_EMAIL_SAN", .local), ("LOCAL_OTHERNAME_SAN", .local), ("TLS_", []),
    ]
    return names.first { stands($0.0, in: bytes, at) }?.1
  }

  private static func stands(_ text: StaticString, in bytes: UnsafeBufferPointer<UInt8>, _ at: Int) -> Bool {
    let count = text.utf8CodeUnitCount
    guard at >= 0, count <= bytes.count - at else { return false }
    for i in 0..<count where bytes[at + i] != text.utf8Start[i] { return false }
    return true
  }

  mutating func add(_ formatter: Formatter) {
    // The program is in the formatter's memory.
    let needs = withExtendedLifetime(formatter) { $0.program.tlsNeeds }
    downstream.formUnion(needs.downstream ?? [])
    if let asked = needs.upstream { upstream = (upstream ?? []).union(asked) }
  }

  mutating func add(_ other: TLSMentions) {
    downstream.formUnion(other.downstream)
    if let asked = other.upstream { upstream = (upstream ?? []).union(asked) }
    if other.failures { failures = true }
  }
}
