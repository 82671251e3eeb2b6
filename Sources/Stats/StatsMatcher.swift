/// Decides which metrics exist at all (`config.metrics.v3.StatsMatcher`).
public struct StatsMatcher: Sendable {
  public enum Rule: Sendable {
    case exact(String)
    case prefix(String)
    case suffix(String)
    case contains(String)
    /// Anything else, such as a regular expression that must match the whole name.
    case predicate(@Sendable (String) -> Bool)

    func matches(_ name: String) -> Bool {
      switch self {
      case .exact(let text): name == text
      case .prefix(let text): name.hasPrefix(text)
      case .suffix(let text): name.hasSuffix(text)
      case .contains(let text): Self.contains(name, text)
      case .predicate(let holds): holds(name)
      }
    }

    private static func contains(_ name: String, _ text: String) -> Bool {
      let haystack = Array(name.utf8)
      let needle = Array(text.utf8)
      guard haystack.count >= needle.count else { return false }
      return (0...(haystack.count - needle.count)).contains {
        haystack[$0..<($0 + needle.count)].elementsEqual(needle)
      }
    }
  }

  private enum Mode {
    case acceptAll, rejectAll
    case including([Rule])
    case excluding([Rule])
  }
  private let mode: Mode

  public static let acceptAll = StatsMatcher(mode: .acceptAll)
  /// `reject_all`: nothing is measured.
  public static let rejectAll = StatsMatcher(mode: .rejectAll)
  /// `inclusion_list`: only names that match a rule.
  public static func including(_ rules: [Rule]) -> StatsMatcher { .init(mode: .including(rules)) }
  /// `exclusion_list`: all names but those that match a rule.
  public static func excluding(_ rules: [Rule]) -> StatsMatcher { .init(mode: .excluding(rules)) }

  public func accepts(_ name: String) -> Bool {
    switch mode {
    case .acceptAll: true
    case .rejectAll: false
    case .including(let rules): rules.contains { $0.matches(name) }
    case .excluding(let rules): !rules.contains { $0.matches(name) }
    }
  }
}
