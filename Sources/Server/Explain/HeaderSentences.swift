import ConfigSchema
import HTTPCore
import Primitives
import Proxy

/// What conditions on headers want and what a request has, in words.
enum HeaderSentences {
  /// What is wrong: `header x-canary is missing, wanted: "yes"`.
  static func mismatch(_ wanted: Envoy_Config_Route_V3_HeaderMatcher, _ headers: UnsafePointer<HeaderMap>) -> String {
    "\(found(wanted.name, headers)), wanted: \(self.wanted(wanted))"
  }

  /// That all of them hold: `the path is /healthz and header x-probe is "1"`; nil of none.
  static func match(_ matchers: [Envoy_Config_Route_V3_HeaderMatcher], _ headers: UnsafePointer<HeaderMap>) -> String? {
    if matchers.isEmpty { return nil }
    return matchers.map { found($0.name, headers) }.joined(separator: " and ")
  }

  private static func found(_ name: String, _ headers: UnsafePointer<HeaderMap>) -> String {
    let key = FrozenText(name.lowercased())
    let value = withExtendedLifetime(key) {
      headers.pointee.value(name: key.view, known: KnownHeaderTable.shared.find(key.view)).map(\.string)
    }
    if name == ":path" { return value.map { "the path is \($0)" } ?? "there is no path" }
    return "header \(name) \(value.map { "is \"\($0)\"" } ?? "is missing")"
  }

  static func wanted(_ header: Envoy_Config_Route_V3_HeaderMatcher) -> String {
    func text(_ matcher: Envoy_Type_Matcher_V3_StringMatcher) -> String {
      switch matcher.matchPattern {
      case .exact(let text): "\"\(text)\""
      case .prefix(let text): "prefix \"\(text)\""
      case .suffix(let text): "suffix \"\(text)\""
      case .contains(let text): "contains \"\(text)\""
      case .safeRegex(let regex): "regex \(regex.regex)"
      case nil: "anything"
      }
    }
    let what =
      switch header.headerMatchSpecifier {
      case nil: "present"
      case .presentMatch(let isPresent): isPresent ? "present" : "absent"
      case .rangeMatch(let range): "\(range.start) to \(range.end - 1)"
      case .stringMatch(let matcher): text(matcher)
      case .exactMatch(let exact): "\"\(exact)\""
      case .prefixMatch(let prefix): "prefix \"\(prefix)\""
      case .suffixMatch(let suffix): "suffix \"\(suffix)\""
      case .containsMatch(let part): "contains \"\(part)\""
      case .safeRegexMatch(let regex): "regex \(regex.regex)"
      }
    return header.invertMatch ? "not \(what)" : what
  }
}
