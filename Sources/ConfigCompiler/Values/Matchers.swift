public import ConfigSchema
import Routing

extension CompilerPass {
  func matcher(_ proto: Envoy_Type_Matcher_V3_StringMatcher) -> StringMatcherSpec {
    switch proto.matchPattern {
    case .exact(let text): .exact(text)
    case .prefix(let text): .prefix(text)
    case .suffix(let text): .suffix(text)
    case .contains(let text): .contains(text)
    case .safeRegex(let regex): .regex(regex.regex)
    case nil: .prefix("")
    }
  }

  func headerMatcher(_ proto: Envoy_Config_Route_V3_HeaderMatcher) -> HeaderMatcherSpec {
    func string(_ matcher: StringMatcherSpec) -> HeaderMatcherSpec.Kind {
      .string(matcher, ignoresCase: false)
    }
    let kind: HeaderMatcherSpec.Kind =
      switch proto.headerMatchSpecifier {
      case nil: .present(true)
      case .presentMatch(let isPresent): .present(isPresent)
      case .rangeMatch(let range): .range(start: range.start, end: range.end)
      case .stringMatch(let matcher):
        .string(self.matcher(matcher), ignoresCase: matcher.ignoreCase)
      case .exactMatch(let text): string(.exact(text))
      case .prefixMatch(let text): string(.prefix(text))
      case .suffixMatch(let text): string(.suffix(text))
      case .containsMatch(let text): string(.contains(text))
      case .safeRegexMatch(let regex): string(.regex(regex.regex))
      }
    return HeaderMatcherSpec(
      name: proto.name, kind: kind, inverts: proto.invertMatch,
      treatsMissingAsEmpty: proto.treatMissingHeaderAsEmpty)
  }

  func fraction(_ proto: Envoy_Type_V3_FractionalPercent) -> RouteMatchSpec.Fraction {
    RouteMatchSpec.Fraction(numerator: proto.numerator, denominator: proto.whole)
  }

  /// The runtime's share where it has one.
  func fraction(_ proto: Envoy_Config_Core_V3_RuntimeFractionalPercent) -> RouteMatchSpec.Fraction {
    fraction(runtimeValue(proto.runtimeKey, "share") { $0.fraction($1) } ?? proto.defaultValue)
  }

  /// Header matchers that stand alone, or nil after errors.
  func conditions(
    _ protos: [Envoy_Config_Route_V3_HeaderMatcher], _ path: String
  ) -> HeaderConditions? {
    do {
      return try HeaderConditions(compiling: protos.map(headerMatcher))
    } catch {
      for fault in error.errors { self.error(path + fault.path, fault.message) }
      return nil
    }
  }
}

extension Envoy_Type_V3_FractionalPercent {
  /// What the numerator is a part of.
  public var whole: UInt32 {
    switch denominator {
    case .hundred, .UNRECOGNIZED: 100
    case .tenThousand: 10_000
    case .million: 1_000_000
    }
  }
}
