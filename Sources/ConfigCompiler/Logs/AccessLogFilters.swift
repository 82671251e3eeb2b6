import ConfigSchema
import HTTPCore
import Proxy
import Routing

extension CompilerPass {
  /// A compiled filter, or nil after errors.
  func accessLogFilter(
    _ proto: Envoy_Config_Accesslog_V3_AccessLogFilter, _ path: String
  ) -> AccessLogFilter? {
    let before = errors.count
    let spec = spec(proto, path)
    guard errors.count == before else { return nil }
    do {
      return try AccessLogFilter(spec)
    } catch {
      for fault in error.errors { self.error(path, fault.message) }
      return nil
    }
  }

  private func spec(
    _ proto: Envoy_Config_Accesslog_V3_AccessLogFilter, _ path: String
  ) -> AccessLogFilter.Spec {
    switch proto.filterSpecifier {
    case .statusCodeFilter(let filter):
      return .statusCode(
        comparison(filter.comparison), UInt64(filter.comparison.value.defaultValue))
    case .durationFilter(let filter):
      return .duration(
        comparison(filter.comparison), UInt64(filter.comparison.value.defaultValue))
    case .notHealthCheckFilter: return .notHealthCheck
    case .traceableFilter: return .traceable
    case .runtimeFilter(let filter):
      let share = fraction(filter.percentSampled)
      return .runtime(
        numerator: share.numerator, denominator: share.denominator,
        independent: filter.useIndependentRandomness)
    case .andFilter(let filter):
      return .and(
        filter.filters.enumerated().map { spec($1, "\(path).and_filter.filters[\($0)]") })
    case .orFilter(let filter):
      return .or(
        filter.filters.enumerated().map { spec($1, "\(path).or_filter.filters[\($0)]") })
    case .headerFilter(let filter):
      let matcher = headerMatcher(filter.header)
      do {
        // Compiled here as well, since here the place is known.
        _ = try HeaderConditions(compiling: [matcher])
      } catch {
        for fault in error.errors {
          self.error("\(path).header_filter.header\(fault.path.dropFirst(3))", fault.message)
        }
      }
      return .header(matcher)
    case .responseFlagFilter(let filter):
      return .responseFlag(filter.flags.isEmpty ? nil : flags(filter.flags))
    case nil:
      error(path, "a filter is required")
      return .and([])
    }
  }

  private func comparison(
    _ proto: Envoy_Config_Accesslog_V3_ComparisonFilter
  ) -> AccessLogFilter.Comparison {
    switch proto.op {
    case .eq, .UNRECOGNIZED: .equal
    case .ge: .greaterOrEqual
    case .le: .lessOrEqual
    case .ne: .notEqual
    }
  }

  /// The schema admits known names only.
  private func flags(_ names: [String]) -> ResponseFlags {
    var flags = ResponseFlags()
    for (bit, flag) in ResponseFlags.names.enumerated() where names.contains("\(flag.short)") {
      flags.insert(ResponseFlags(rawValue: 1 << UInt32(bit)))
    }
    return flags
  }
}
