extension Explanation {
  /// A filter that a connection or a request passes.
  struct Filter {
    enum State {
      case on
      /// By whom: a level of the route table, or the filter itself.
      case disabled(Part)
      /// A filter before it answers.
      case notReached
    }

    let name: String
    /// Full name of the message that configures it.
    let type: String
    var place: String?
    var state = State.on
    /// Levels of the route table that give it settings, most specific first.
    var settings: [Part] = []
    /// What it does with this request.
    var says: String?

    /// `health_check` of `envoy.extensions.filters.http.health_check.v3.HealthCheck`.
    var shortType: String {
      let parts = type.split(separator: ".")
      return parts.count >= 3 ? String(parts[parts.count - 3]) : type
    }

    /// One line: `checks (health_check): disabled (route)`.
    var line: String {
      let isNamed = name.split(separator: ".").last.map { $0 == shortType } ?? false
      let title = isNamed ? name : "\(name) (\(shortType))"
      let words: [String] =
        switch state {
        case .disabled(let by): ["disabled (\(by.text))"]
        case .notReached: ["not reached"]
        case .on:
          (settings.isEmpty ? [] : ["settings of the \(settings.map(\.text).joined(separator: " and the "))"]) + (says.map { [$0] } ?? [])
        }
      return words.isEmpty ? title : "\(title): \(words.joined(separator: "; "))"
    }
  }
}
