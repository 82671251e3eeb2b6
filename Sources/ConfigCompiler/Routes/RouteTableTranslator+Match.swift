import ConfigSchema
import Routing
import SwiftProtobuf

extension RouteTableTranslator {
  func match(_ proto: Envoy_Config_Route_V3_RouteMatch, _ path: String) -> RouteMatchSpec {
    let target: RouteMatchSpec.Path =
      switch proto.pathSpecifier {
      case .prefix(let text): .prefix(text)
      case .path(let text): .exact(text)
      case .safeRegex(let regex): .regex(regex.regex)
      case .pathSeparatedPrefix(let text): .separatedPrefix(text)
      case .connectMatcher: .connect
      case nil: .prefix("")
      }
    var spec = RouteMatchSpec(path: target)
    if proto.hasCaseSensitive { spec.isCaseSensitive = proto.caseSensitive.value }
    spec.headers = proto.headers.map(pass.headerMatcher)
    spec.queryParameters = proto.queryParameters.map(parameter)
    spec.isGRPCOnly = proto.hasGrpc
    if proto.hasTlsContext {
      if proto.tlsContext.hasPresented { spec.presentsCertificate = proto.tlsContext.presented.value }
      if proto.tlsContext.hasValidated { spec.hasValidCertificate = proto.tlsContext.validated.value }
    }
    if proto.hasRuntimeFraction {
      spec.runtimeFraction = pass.fraction(proto.runtimeFraction)
    }
    return spec
  }

  private func parameter(
    _ proto: Envoy_Config_Route_V3_QueryParameterMatcher
  ) -> QueryParameterMatcherSpec {
    let kind: QueryParameterMatcherSpec.Kind =
      switch proto.queryParameterMatchSpecifier {
      case nil: .present(true)
      case .presentMatch(let isPresent): .present(isPresent)
      case .stringMatch(let matcher):
        .string(pass.matcher(matcher), ignoresCase: matcher.ignoreCase)
      }
    return QueryParameterMatcherSpec(name: proto.name, kind: kind)
  }
}
