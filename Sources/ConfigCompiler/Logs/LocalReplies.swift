import ConfigSchema
import Format
import Proxy
import SwiftProtobuf

extension CompilerPass {
  func localReplies(
    _ proto: Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_LocalReplyConfig,
    _ path: String
  ) -> LocalReplyConfig {
    let format = proto.hasBodyFormat ? formatter(proto.bodyFormat, "\(path).body_format") : nil
    return LocalReplyConfig(
      mappers: proto.mappers.enumerated().compactMap { mapper($1, "\(path).mappers[\($0)]") },
      bodyFormat: format,
      contentType: format.map { _ in FrozenText(contentType(proto.bodyFormat)) })
  }

  private func mapper(
    _ proto: Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_ResponseMapper,
    _ path: String
  ) -> LocalReplyConfig.Mapper? {
    let filter = accessLogFilter(proto.filter, "\(path).filter")
    let body = proto.hasBody ? text(proto.body, "\(path).body") : nil
    let format =
      proto.hasBodyFormatOverride
      ? formatter(proto.bodyFormatOverride, "\(path).body_format_override") : nil
    let headers = responseHeaders(proto.headersToAdd, "\(path).headers_to_add")
    guard let filter else { return nil }
    var mapper = LocalReplyConfig.Mapper(filter: filter)
    if proto.hasStatusCode {
      mapper.status = UInt16(truncatingIfNeeded: proto.statusCode.value)
    }
    mapper.body = body.map { FrozenText($0) }
    mapper.bodyFormat = format
    mapper.contentType = format.map { _ in FrozenText(contentType(proto.bodyFormatOverride)) }
    mapper.headers = headers
    return mapper
  }

  private func responseHeaders(
    _ options: [Envoy_Config_Core_V3_HeaderValueOption], _ path: String
  ) -> HeaderMutations? {
    if options.isEmpty { return nil }
    let spec = HeaderMutationSpec(
      additions: options.enumerated().map { addition($1, "\(path)[\($0)]") })
    do {
      return try HeaderMutations(spec)
    } catch {
      // additions[2].value -> headers_to_add[2].header.value
      let place = error.path.replacing("additions", with: "").replacing(".name", with: ".header.key")
        .replacing(".value", with: ".header.value")
      self.error(path + place, error.message)
      return nil
    }
  }
}
