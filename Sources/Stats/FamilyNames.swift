/// What the members of a ``NamedFamily`` are called, by index. Made once for all families that are alike.
public final class FamilyNames: Sendable {
  private let names: [Int: String]

  /// - Parameter names: Indexes below ``indexCount``; the others count and are not reported.
  public init(_ names: [Int: String]) {
    precondition(names.keys.allSatisfy { (0..<Self.indexCount).contains($0) })
    self.names = names.mapValues { MetricName.sanitized($0) }
  }

  public static var indexCount: Int { CellLayout.memberCount }

  subscript(index: Int) -> String? { names[index] }
}

/// How a family's members are called.
enum FamilyNaming: Sendable, Equatable {
  /// `<family>_<code>`, from ``CellLayout/codeFirst`` on.
  case codes
  /// `<family>.<name>`.
  case table(FamilyNames)

  /// The name of a member, or nil when it is not reported.
  func name(of index: Int, in family: String) -> String? {
    switch self {
    case .codes: "\(family)_\(CellLayout.codeFirst + index)"
    case .table(let names): names[index].map { "\(family).\($0)" }
    }
  }

  /// Two families are one only when their members are called the same.
  static func == (a: Self, b: Self) -> Bool {
    switch (a, b) {
    case (.codes, .codes): true
    case (.table(let a), .table(let b)): a === b
    case (.codes, .table), (.table, .codes): false
    }
  }
}
