/// Failed requests by kind.
public struct ErrorCounts: Sendable, Equatable {
  @usableFromInline var counts: [UInt64]

  public init() { counts = Array(repeating: 0, count: ErrorKind.allCases.count) }

  @inlinable
  public mutating func add(_ kind: ErrorKind, _ count: UInt64 = 1) {
    counts[kind.rawValue] &+= count
  }

  @inlinable
  public subscript(kind: ErrorKind) -> UInt64 { counts[kind.rawValue] }

  public var total: UInt64 { counts.reduce(0, &+) }

  /// Requests that never got a whole answer.
  public var unanswered: UInt64 {
    ErrorKind.allCases.reduce(0) { $1.isAnswered ? $0 : $0 &+ self[$1] }
  }

  /// The kinds that occurred, most frequent first.
  public var occurred: [(kind: ErrorKind, count: UInt64)] {
    ErrorKind.allCases.filter { self[$0] > 0 }.map { ($0, self[$0]) }
      .sorted { ($1.count, $0.kind.rawValue) < ($0.count, $1.kind.rawValue) }
  }

  public mutating func merge(_ other: ErrorCounts) {
    for kind in ErrorKind.allCases { add(kind, other[kind]) }
  }
}
