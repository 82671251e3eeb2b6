import ConfigLoader
import ConfigSchema
import Primitives
import RegularExpressions
import Stats
import SwiftProtobuf

/// `stats_config`: which statistics there are and how they are labelled. The registry is made with
/// it, so a change needs a new process.
public enum StatsSettings {
  public enum Outcome {
    case options(StatsRegistry.Options)
    case failed([Diagnostic])
  }

  /// What to make the registry with.
  public static func options(_ loaded: LoadedConfiguration) -> Outcome {
    var reader = Reader(loaded: loaded)
    let options = reader.read(loaded.bootstrap.statsConfig)
    return reader.errors.isEmpty ? .options(options) : .failed(reader.errors)
  }

  static func check(_ loaded: LoadedConfiguration) -> [Diagnostic] {
    guard loaded.bootstrap.hasStatsConfig, case .failed(let errors) = options(loaded) else {
      return []
    }
    return errors
  }

  private struct Reader {
    let loaded: LoadedConfiguration
    var errors: [Diagnostic] = []

    mutating func error(_ path: String, _ message: String) {
      errors.append(loaded.diagnostic(path: path, message: message))
    }

    mutating func read(_ proto: Envoy_Config_Metrics_V3_StatsConfig) -> StatsRegistry.Options {
      var options = StatsRegistry.Options()
      if proto.hasStatsMatcher {
        options.matcher = matcher(proto.statsMatcher, "stats_config.stats_matcher")
      }
      options.tags = tags(proto)
      options.histogramBuckets = HistogramBuckets(
        proto.histogramBucketSettings.enumerated().compactMap { index, setting in
          let path = "stats_config.histogram_bucket_settings[\(index)]"
          if setting.hasBins { error("\(path).bins", "is not supported by apus yet") }
          return rule(setting.match, "\(path).match").map {
            HistogramBuckets.Setting(match: $0, bounds: setting.buckets)
          }
        })
      return options
    }

    private mutating func matcher(
      _ proto: Envoy_Config_Metrics_V3_StatsMatcher, _ path: String
    ) -> StatsMatcher {
      switch proto.statsMatcher {
      case .rejectAll(let isOn): isOn ? .rejectAll : .acceptAll
      case .inclusionList(let list):
        .including(rules(list.patterns, "\(path).inclusion_list.patterns"))
      case .exclusionList(let list):
        .excluding(rules(list.patterns, "\(path).exclusion_list.patterns"))
      case nil: .acceptAll
      }
    }

    private mutating func rules(
      _ protos: [Envoy_Type_Matcher_V3_StringMatcher], _ path: String
    ) -> [StatsMatcher.Rule] {
      var rules: [StatsMatcher.Rule] = []
      for (index, proto) in protos.enumerated() {
        if let rule = rule(proto, "\(path)[\(index)]") { rules.append(rule) }
      }
      return rules
    }

    private mutating func rule(
      _ proto: Envoy_Type_Matcher_V3_StringMatcher, _ path: String
    ) -> StatsMatcher.Rule? {
      if case .safeRegex(let pattern)? = proto.matchPattern {
        return regex(pattern.regex, "\(path).safe_regex.regex").map { regex in
          .predicate { name in
            Self.withView(name) { regex.handle.matchesWhole($0) }
          }
        }
      }
      let rule: StatsMatcher.Rule =
        switch proto.matchPattern {
        case .exact(let text): .exact(text)
        case .prefix(let text): .prefix(text)
        case .suffix(let text): .suffix(text)
        case .contains(let text): .contains(text)
        case .safeRegex, nil: .prefix("")
        }
      return proto.ignoreCase ? Self.ignoringCase(rule) : rule
    }

    private static func ignoringCase(_ rule: StatsMatcher.Rule) -> StatsMatcher.Rule {
      switch rule {
      case .exact(let text):
        let text = text.lowercased()
        return .predicate { $0.lowercased() == text }
      case .prefix(let text):
        let text = text.lowercased()
        return .predicate { $0.lowercased().hasPrefix(text) }
      case .suffix(let text):
        let text = text.lowercased()
        return .predicate { $0.lowercased().hasSuffix(text) }
      case .contains(let text):
        let text = text.lowercased()
        return .predicate { $0.lowercased().contains(text) }
      case .predicate: return rule
      }
    }

    private mutating func regex(_ pattern: String, _ path: String) -> Regex? {
      do {
        return try Regex(pattern)
      } catch {
        self.error(path, error.message)
        return nil
      }
    }

    private mutating func tags(
      _ proto: Envoy_Config_Metrics_V3_StatsConfig
    ) -> TagExtraction {
      var fixed: [StatsTag] = []
      for (index, tag) in proto.statsTags.enumerated() {
        let path = "stats_config.stats_tags[\(index)]"
        switch tag.tagValue {
        case .fixedValue(let value): fixed.append(StatsTag(name: tag.tagName, value: value))
        case .regex: error("\(path).regex", "is not supported by apus yet")
        case nil: error(path, "fixed_value is required")
        }
      }
      return TagExtraction(
        useDefaults: proto.hasUseAllDefaultTags ? proto.useAllDefaultTags.value : true,
        fixedTags: fixed)
    }

    private static func withView<Value>(_ text: String, _ body: (ByteView) -> Value) -> Value {
      var text = text
      return text.withUTF8 { bytes in
        body(bytes.baseAddress.map { ByteView($0, bytes.count) } ?? .empty)
      }
    }
  }
}
