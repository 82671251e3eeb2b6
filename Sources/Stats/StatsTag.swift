/// A part of a metric's name taken out as a label.
public struct StatsTag: Sendable, Hashable {
  /// For example `envoy.cluster_name`.
  public var name: String
  public var value: String
  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// A metric's name split into what all metrics of its family share and what tells them apart.
public struct TaggedName: Sendable, Equatable {
  public var name: String
  public var tags: [StatsTag]
}
