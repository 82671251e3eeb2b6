/// One thing wrong with a route configuration, and where: a path in Envoy's field names such as
/// `virtual_hosts[2].routes[0].match.safe_regex.regex`.
public struct RoutingError: Error, Equatable, CustomStringConvertible {
  public let path: String
  public let message: String

  public init(path: String, message: String) {
    self.path = path
    self.message = message
  }

  public var description: String { "\(path): \(message)" }
}

/// Everything wrong with a route configuration.
public struct RoutingErrors: Error, CustomStringConvertible {
  public let errors: [RoutingError]
  public var description: String { errors.map(\.description).joined(separator: "\n") }
}
