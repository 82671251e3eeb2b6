import SwiftProtobuf

/// Metadata that a cluster's transport sockets are chosen by, or what one of them asks of it.
struct SocketLabels: Sendable {
  /// Of `filter_metadata`, of endpoints and of localities.
  static let namespace = "envoy.transport_socket_match"

  /// Equal values are equal bytes.
  private let values: [String: [UInt8]]

  static let none = SocketLabels(values: [:])

  private init(values: [String: [UInt8]]) { self.values = values }

  init(_ fields: Google_Protobuf_Struct) { values = fields.fields.mapValues(BalancingMetadata.canonical) }

  var isEmpty: Bool { values.isEmpty }

  /// Whether everything that is wanted is here, with the same values. A list is one value.
  func holds(_ wanted: SocketLabels) -> Bool { wanted.values.allSatisfy { values[$0.key] == $0.value } }
}
