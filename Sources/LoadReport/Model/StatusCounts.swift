/// Whole answers by status code.
public struct StatusCounts: Sendable, Equatable {
  /// Codes are below this; others count as code 0, "not a status".
  @inlinable public static var codeLimit: Int { 1000 }

  @usableFromInline var counts: [UInt64]

  public init() { counts = Array(repeating: 0, count: Self.codeLimit) }

  @inlinable
  public mutating func add(_ code: Int, _ count: UInt64 = 1) {
    counts[code >= 0 && code < Self.codeLimit ? code : 0] &+= count
  }

  public subscript(code: Int) -> UInt64 {
    counts.indices.contains(code) ? counts[code] : 0
  }

  public var total: UInt64 { counts.reduce(0, &+) }

  /// The codes that occurred, ascending.
  public var occurred: [(code: Int, count: UInt64)] {
    counts.indices.filter { counts[$0] > 0 }.map { ($0, counts[$0]) }
  }

  public mutating func merge(_ other: StatusCounts) {
    for (code, count) in other.occurred { add(code, count) }
  }
}

extension StatusCounts: CustomStringConvertible {
  public var description: String {
    occurred.map { "\($0.code): \($0.count)" }.joined(separator: ", ")
  }
}
