import Primitives
import Proxy

/// `/clusters` and `/listeners`.
extension AdminEndpoints {
  var listEndpoints: [AdminEndpoint] {
    let format = AdminEndpoint.Parameter("format", "File format to use", ["text", "json"])
    return [
      AdminEndpoint(
        path: "/clusters", help: "upstream cluster status",
        parameters: [
          .init("filter", "Regular expression (Google re2) for filtering clusters by name"), format,
        ]
      ) { [unowned self] in clusters($0) },
      AdminEndpoint(path: "/listeners", help: "print listener info", parameters: [format]) {
        [unowned self] request in
        let listeners = delegate.listeners
        return request["format"] == "json"
          ? .json(Self.json(listeners)) : .text(Self.text(listeners))
      },
    ]
  }

  private static func text(_ listeners: [AdminListener]) -> String {
    listeners.map { listener in
      listener.addresses.map { "\(listener.name)::\($0)\n" }.joined()
    }.joined()
  }

  /// `envoy.admin.v3.Listeners`.
  private static func json(_ listeners: [AdminListener]) -> JSONValue {
    guard !listeners.isEmpty else { return .object([]) }
    let statuses = listeners.map { listener in
      var fields: [JSONValue.Field] = [.init("name", .string(listener.name))]
      if let first = listener.addresses.first {
        fields.append(.init("local_address", first.json))
      }
      if listener.addresses.count > 1 {
        fields.append(
          .init(
            "additional_local_addresses", .array(listener.addresses.dropFirst().map(\.json))))
      }
      return JSONValue.object(fields)
    }
    return .object([.init("listener_statuses", .array(statuses))])
  }

  private func clusters(_ request: AdminRequest) -> AdminResponse {
    var clusters = delegate.clusters
    if let pattern = request["filter"], !pattern.isEmpty {
      guard let filter = try? AdminFilter(pattern) else {
        return .badRequest("Invalid re2 regex\n")
      }
      clusters = clusters.filter { filter.accepts($0.name) }
    }
    return request["format"] == "json"
      ? .pieces(ClusterJSON.pieces(clusters, delegate), .json)
      : .pieces(ClusterText(clusters, delegate), .text)
  }
}

extension SocketAddress {
  /// `envoy.config.core.v3.Address`.
  var json: JSONValue {
    switch self {
    case .ip(let address, let port):
      .object([
        .init(
          "socket_address",
          .object([
            .init("address", .string("\(address)")), .init("port_value", .number(UInt64(port))),
          ]))
      ])
    case .pipe(let path): .object([.init("pipe", .object([.init("path", .string(path))]))])
    }
  }
}
