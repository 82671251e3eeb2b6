import ConfigLoader
import ConfigSchema
import Proxy
import SwiftProtobuf

/// `internal_redirect_policy` of routes.
extension RouteTableTranslator {
  func redirectPolicy(_ proto: Envoy_Config_Route_V3_InternalRedirectPolicy, _ path: String) -> RedirectPolicy {
    var policy = RedirectPolicy()
    if proto.hasMaxInternalRedirects { policy.redirectsMax = proto.maxInternalRedirects.value }
    let known: Set<UInt32> = [301, 302, 303, 307, 308]
    for (index, code) in proto.redirectResponseCodes.enumerated() where !known.contains(code) {
      pass.error("\(path).redirect_response_codes[\(index)]", "must be 301, 302, 303, 307 or 308, got \(code)")
    }
    if !proto.redirectResponseCodes.isEmpty {
      policy.statuses = FrozenList(proto.redirectResponseCodes.map { UInt16(clamping: $0) })
    }
    policy.allowsCrossScheme = proto.allowCrossSchemeRedirect
    policy.copiedHeaders = FrozenList(
      proto.responseHeadersToCopy.enumerated().compactMap { index, name in
        guard !name.hasPrefix(":") else {
          pass.error("\(path).response_headers_to_copy[\(index)]", "\"\(shown(name))\" is no header")
          return nil
        }
        return RedirectPolicy.CopiedHeader(name)
      })
    for (index, predicate) in proto.predicates.enumerated() {
      add(predicate.typedConfig, to: &policy, "\(path).predicates[\(index)]")
    }
    return policy
  }

  private func add(_ any: Google_Protobuf_Any, to policy: inout RedirectPolicy, _ path: String) {
    if any.unpacked(as: Envoy_Extensions_InternalRedirect_PreviousRoutes_V3_PreviousRoutesConfig.self) != nil {
      policy.forbidsPreviousRoutes = true
    } else if any.unpacked(as: Envoy_Extensions_InternalRedirect_SafeCrossScheme_V3_SafeCrossSchemeConfig.self) != nil {
      policy.forbidsUnsafeScheme = true
    } else if let list = any.unpacked(
      as: Envoy_Extensions_InternalRedirect_AllowListedRoutes_V3_AllowListedRoutesConfig.self)
    {
      policy.allowedRoutes = FrozenList(list.allowedRouteNames.map { FrozenText($0) })
    } else {
      pass.error(
        "\(path).typed_config",
        "needs a PreviousRoutesConfig, a SafeCrossSchemeConfig or an AllowListedRoutesConfig")
    }
  }
}
