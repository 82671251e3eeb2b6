import ConfigSchema
import Format
import Foundation
import HTTPCore
import SwiftProtobuf

/// What formats of a listener ask of TLS connections, so that nothing is kept that nobody asks for. It may be more than is
/// asked: names count wherever they stand.
struct TLSMentions: Equatable {
  var downstream: TLSDetailNeeds = []
  /// Nil: no format asks about TLS to hosts.
  var upstream: TLSDetailNeeds?

  init() {}

  /// Looks for names of operators in the texts of a listener.
  init(_ proto: Envoy_Config_Listener_V3_Listener) {
    guard let bytes: Data = try? proto.serializedBytes() else { return }
    func has(_ names: String...) -> Bool { names.contains { bytes.range(of: Data($0.utf8)) != nil } }
    if has("DOWNSTREAM_PEER_CERT_V_") { downstream.insert(.validity) }
    if has("DOWNSTREAM_PEER_CERT%", "DOWNSTREAM_PEER_CERT:") { downstream.insert(.pem) }
    if has("DOWNSTREAM_PEER_CHAIN_") { downstream.insert(.chain) }
    if has("DOWNSTREAM_LOCAL_SUBJECT") || Self.names.contains(where: { has("DOWNSTREAM_LOCAL_\($0)") }) {
      downstream.insert(.local)
    }
    if has("UPSTREAM_TLS_", "UPSTREAM_PEER_") { upstream = [] }
    if has("UPSTREAM_PEER_CERT_V_") { upstream?.insert(.validity) }
    if has("UPSTREAM_PEER_CERT%", "UPSTREAM_PEER_CERT:") { upstream?.insert(.pem) }
    if Self.names.contains(where: { has("UPSTREAM_LOCAL_\($0)") }) { upstream = (upstream ?? []).union(.local) }
  }

  private static let names = ["URI_SAN", "DNS_SAN", "IP_SAN", "EMAIL_SAN", "OTHERNAME_SAN"]

  mutating func add(_ formatter: Format.Formatter) {
    let needs = formatter.program.tlsNeeds
    downstream.formUnion(needs.downstream ?? [])
    if let asked = needs.upstream { upstream = (upstream ?? []).union(asked) }
  }

  mutating func add(_ other: TLSMentions) {
    downstream.formUnion(other.downstream)
    if let asked = other.upstream { upstream = (upstream ?? []).union(asked) }
  }
}
