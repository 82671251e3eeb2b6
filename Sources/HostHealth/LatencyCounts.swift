import Primitives

/// Answers of one host since the last sweep, by the time they took.
public struct LatencyCounts: Sendable {
  private var cells = InlineArray<32, UInt64>(repeating: 0)
  public private(set) var total: UInt64 = 0

  public init() {}

  public subscript(index: Int) -> UInt64 { cells.indices.contains(index) ? cells[index] : 0 }

  public mutating func add(_ count: UInt64, at index: Int) {
    guard cells.indices.contains(index) else { return }
    cells[index] = cells[index].saturatingAdd(count)
    total = total.saturatingAdd(count)
  }
}
